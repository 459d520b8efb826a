import { type MetadataEntry, type WrittenTensor, writeGguf } from './gguf-writer.ts'
import { randomTensor, TENSOR_TYPES, type TensorTypeName, tensorBytes } from './random-tensor.ts'
import { madeUpVocabulary } from './vocabulary.ts'

export interface ModelShape {
  readonly width: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly feedForward: number
  readonly vocabulary: number
}

/** Qwen2.5-0.5B's. */
export const HALF_BILLION: ModelShape = {
  width: 896,
  layers: 24,
  heads: 14,
  kvHeads: 2,
  feedForward: 4864,
  vocabulary: 151_936,
}

type Matrix = 'token_embd' | 'attn_q' | 'attn_k' | 'attn_v' | 'attn_output' | 'ffn_gate' | 'ffn_up' | 'ffn_down'

/** Which type llama.cpp's quantize gives a matrix; `q4_k_m` as it treats this very width, which 256 does not divide. */
const MIXES = {
  q8_0: () => 'Q8_0',
  bf16: () => 'BF16',
  q4_k_m: (matrix, layer, layers) => {
    // use_more_bits() of llama-quant.cpp.
    const eighth = Math.floor(layers / 8)
    const more = layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2
    if (matrix === 'token_embd') return 'Q8_0'
    if (matrix === 'ffn_down') return more ? 'Q6_K' : 'Q4_K'
    return matrix === 'attn_v' && more ? 'Q8_0' : 'Q5_0'
  },
} as const satisfies Record<string, (matrix: Matrix, layer: number, layers: number) => TensorTypeName>
export type RandomMix = keyof typeof MIXES
export const RANDOM_MIXES = Object.keys(MIXES) as readonly RandomMix[]

/** Writes a model of random weights, the same ones each time: it says nothing sensible, at the speed of one that does. */
export async function writeRandomModel(path: string, mix: RandomMix, shape: ModelShape = HALF_BILLION): Promise<void> {
  await writeGguf(path, metadata(mix, shape), tensors(mix, shape))
}

function metadata(mix: RandomMix, shape: ModelShape): MetadataEntry[] {
  const { tokens, types, merges, endOfText, endOfTurn } = madeUpVocabulary(shape.vocabulary)
  return [
    ['general.architecture', 'string', 'qwen2'],
    ['general.name', 'string', `random weights, ${mix}`],
    ['general.quantization_version', 'u32', 2],
    ['qwen2.block_count', 'u32', shape.layers],
    ['qwen2.context_length', 'u32', 4096],
    ['qwen2.embedding_length', 'u32', shape.width],
    ['qwen2.feed_forward_length', 'u32', shape.feedForward],
    ['qwen2.attention.head_count', 'u32', shape.heads],
    ['qwen2.attention.head_count_kv', 'u32', shape.kvHeads],
    ['qwen2.attention.layer_norm_rms_epsilon', 'f32', 1e-6],
    ['qwen2.rope.freq_base', 'f32', 1e6],
    ['tokenizer.ggml.model', 'string', 'gpt2'],
    ['tokenizer.ggml.pre', 'string', 'qwen2'],
    ['tokenizer.ggml.tokens', 'strings', tokens],
    ['tokenizer.ggml.token_type', 'i32s', types],
    ['tokenizer.ggml.merges', 'strings', merges],
    ['tokenizer.ggml.bos_token_id', 'u32', endOfText],
    ['tokenizer.ggml.eos_token_id', 'u32', endOfTurn],
    ['tokenizer.ggml.add_bos_token', 'bool', false],
  ]
}

function tensors(
  mix: RandomMix,
  { width, layers, heads, kvHeads, feedForward, vocabulary }: ModelShape,
): WrittenTensor[] {
  const kvWidth = (width / heads) * kvHeads
  let seed = 0
  const matrix = (name: Matrix, inputs: number, outputs: number, layer?: number): WrittenTensor => {
    const type = MIXES[mix](name, layer ?? 0, layers)
    const own = ++seed
    return {
      name: layer === undefined ? `${name}.weight` : `blk.${layer}.${name}.weight`,
      shape: [inputs, outputs],
      type: TENSOR_TYPES[type].id,
      bytes: tensorBytes(type, inputs * outputs),
      data: () => randomTensor(type, inputs, inputs * outputs, own),
    }
  }
  const vector = (name: string, length: number, value: number): WrittenTensor => ({
    name,
    shape: [length],
    type: 0,
    bytes: length * 4,
    data: () => new Uint8Array(new Float32Array(length).fill(value).buffer),
  })
  const layer = (i: number) => [
    vector(`blk.${i}.attn_norm.weight`, width, 1),
    matrix('attn_q', width, width, i),
    vector(`blk.${i}.attn_q.bias`, width, 0.01),
    matrix('attn_k', width, kvWidth, i),
    vector(`blk.${i}.attn_k.bias`, kvWidth, 0.01),
    matrix('attn_v', width, kvWidth, i),
    vector(`blk.${i}.attn_v.bias`, kvWidth, 0.01),
    matrix('attn_output', width, width, i),
    vector(`blk.${i}.ffn_norm.weight`, width, 1),
    matrix('ffn_gate', width, feedForward, i),
    matrix('ffn_up', width, feedForward, i),
    matrix('ffn_down', feedForward, width, i),
  ]
  return [
    matrix('token_embd', width, vocabulary),
    ...Array.from({ length: layers }, (_, i) => layer(i)).flat(),
    vector('output_norm.weight', width, 1),
  ]
}
