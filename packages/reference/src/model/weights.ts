import { PlumblineError } from '@plumbline/protocol'
import { dequantize } from '../dequantize/dequantize.ts'
import type { GgufFile } from '../gguf/read-gguf.ts'
import { TENSOR_TYPES } from '../gguf/tensor-types.ts'
import type { ModelConfig } from './config.ts'

/** A matrix as stored: `rows` outputs by `columns` inputs, row-major, with its bias where it has one. */
export interface Linear {
  readonly rows: number
  readonly columns: number
  readonly weight: Float32Array
  /** Whether the file has it as integers with scales, not as floats. */
  readonly quantised?: boolean
  /** [rows] */
  readonly bias?: Float32Array
}

export interface LayerWeights {
  /** [embeddingLength] */
  readonly attnNorm: Float32Array
  /** embeddingLength -> heads * keyLength */
  readonly attnQ: Linear
  /** embeddingLength -> kvHeads * keyLength */
  readonly attnK: Linear
  /** embeddingLength -> kvHeads * valueLength */
  readonly attnV: Linear
  /** heads * valueLength -> embeddingLength */
  readonly attnOutput: Linear
  /** [embeddingLength] */
  readonly ffnNorm: Float32Array
  /** embeddingLength -> feedForwardLength */
  readonly ffnGate: Linear
  /** embeddingLength -> feedForwardLength */
  readonly ffnUp: Linear
  /** feedForwardLength -> embeddingLength */
  readonly ffnDown: Linear
}

export interface Weights {
  /** vocabulary rows of embeddingLength */
  readonly tokenEmbedding: Linear
  readonly layers: readonly LayerWeights[]
  /** [embeddingLength] */
  readonly outputNorm: Float32Array
  /** embeddingLength -> vocabulary; the token embedding itself where the file has no output.weight (a tied head). */
  readonly output: Linear
  /** [ropeDimensions / 2]: what each pair's frequency is divided by (Llama 3's scaling). */
  readonly ropeFactors?: Float32Array
}

/** Dequantises all weights to float32, exactly. Every tensor must be there, of the right shape, and every tensor in the file used. */
export function loadWeights(gguf: GgufFile, config: ModelConfig): Weights {
  const loader = new WeightLoader(gguf)
  const { embeddingLength: width, heads, kvHeads, keyLength, valueLength, feedForwardLength } = config
  const vocabulary = gguf.tensors.get('token_embd.weight')?.shape[1] ?? 0

  const layer = (index: number): LayerWeights => {
    const name = (part: string) => `blk.${index}.${part}`
    const qkv = (part: string, rows: number) => loader.linear(name(part), rows, width, config.qkvBias)
    return {
      attnNorm: loader.vector(name('attn_norm.weight'), width),
      attnQ: qkv('attn_q', heads * keyLength),
      attnK: qkv('attn_k', kvHeads * keyLength),
      attnV: qkv('attn_v', kvHeads * valueLength),
      attnOutput: loader.linear(name('attn_output'), width, heads * valueLength),
      ffnNorm: loader.vector(name('ffn_norm.weight'), width),
      ffnGate: loader.linear(name('ffn_gate'), feedForwardLength, width),
      ffnUp: loader.linear(name('ffn_up'), feedForwardLength, width),
      ffnDown: loader.linear(name('ffn_down'), width, feedForwardLength),
    }
  }

  const tokenEmbedding = loader.linear('token_embd', vocabulary, width)
  const weights: Weights = {
    tokenEmbedding,
    layers: Array.from({ length: config.layers }, (_, index) => layer(index)),
    outputNorm: loader.vector('output_norm.weight', width),
    output: gguf.tensors.has('output.weight') ? loader.linear('output', vocabulary, width) : tokenEmbedding,
    ...(gguf.tensors.has('rope_freqs.weight') && {
      ropeFactors: loader.vector('rope_freqs.weight', config.ropeDimensions / 2),
    }),
  }
  loader.checkAllUsed()
  return weights
}

class WeightLoader {
  readonly #gguf: GgufFile
  readonly #used = new Set<string>()

  constructor(gguf: GgufFile) {
    this.#gguf = gguf
  }

  vector(name: string, length: number): Float32Array {
    return this.#load(name, [length])
  }

  linear(name: string, rows: number, columns: number, bias: 'required' | 'optional' | 'none' = 'none'): Linear {
    const weight = this.#load(`${name}.weight`, [columns, rows])
    const quantised = TENSOR_TYPES[this.#gguf.tensors.get(`${name}.weight`)!.type].blockLength > 1
    const hasBias = bias === 'required' || (bias === 'optional' && this.#gguf.tensors.has(`${name}.bias`))
    return { rows, columns, weight, quantised, ...(hasBias && { bias: this.vector(`${name}.bias`, rows) }) }
  }

  checkAllUsed(): void {
    const unused = [...this.#gguf.tensors.keys()].filter((name) => !this.#used.has(name))
    if (unused.length > 0) {
      const message = `the architecture has no use for ${unused.length} tensors of the file, the first is ${unused[0]}`
      throw new PlumblineError('INVALID_GGUF', message, { field: unused[0] })
    }
  }

  #load(name: string, shape: readonly number[]): Float32Array {
    const tensor = this.#gguf.tensors.get(name)
    if (tensor === undefined) throw new PlumblineError('INVALID_GGUF', `tensor ${name} is missing`, { field: name })
    if (tensor.shape.join() !== shape.join()) {
      const message = `tensor ${name} has shape [${tensor.shape.join(', ')}], must be [${shape.join(', ')}]`
      throw new PlumblineError('INVALID_GGUF', message, { field: name })
    }
    this.#used.add(name)
    const count = shape.reduce((product, dimension) => product * dimension, 1)
    return dequantize(tensor.type, this.#gguf.tensorBytes(name), count)
  }
}
