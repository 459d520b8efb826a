import { PlumblineError } from '@plumbline/protocol'
import { Metadata } from '../gguf/metadata.ts'
import type { GgufFile } from '../gguf/read-gguf.ts'
import { ARCHITECTURES, type Architecture } from './architectures.ts'

export interface ModelConfig extends Architecture {
  readonly architecture: string
  readonly layers: number
  /** Width of the residual stream. */
  readonly embeddingLength: number
  readonly feedForwardLength: number
  readonly heads: number
  /** Grouped-query attention: each of these serves heads / kvHeads query heads. */
  readonly kvHeads: number
  /** Width of one head of queries and keys. */
  readonly keyLength: number
  /** Width of one head of values. */
  readonly valueLength: number
  /** The context that the model was trained for, in tokens. */
  readonly contextLength: number
  readonly rmsEpsilon: number
  readonly ropeTheta: number
  /** How many of a head's dimensions are rotated, from the first. */
  readonly ropeDimensions: number
  /** Linear scaling: positions are divided by this. */
  readonly ropeScalingFactor: number
}

/** Reads a model's hyperparameters. INVALID_GGUF where they are missing or impossible, UNSUPPORTED_ARCHITECTURE where they are unknown. */
export function readConfig(gguf: GgufFile): ModelConfig {
  const metadata = new Metadata(gguf)
  const architecture = metadata.require(metadata.string, 'general.architecture')
  const traits = Object.hasOwn(ARCHITECTURES, architecture) ? ARCHITECTURES[architecture] : undefined
  if (traits === undefined) {
    throw unsupported(`architecture is ${architecture}; supported: ${Object.keys(ARCHITECTURES).join(', ')}`)
  }
  const key = (name: string) => `${architecture}.${name}`
  const positive = (name: string, otherwise?: number): number => {
    const value = metadata.count(key(name)) ?? otherwise ?? metadata.require(metadata.count, key(name))
    if (value === 0) throw invalid(`${key(name)} is 0, must be positive`)
    return value
  }

  const embeddingLength = positive('embedding_length')
  const heads = positive('attention.head_count')
  const headLength = Number.isInteger(embeddingLength / heads) ? embeddingLength / heads : undefined
  const keyLength = positive('attention.key_length', headLength)
  const config: ModelConfig = {
    ...traits,
    architecture,
    layers: positive('block_count'),
    embeddingLength,
    feedForwardLength: positive('feed_forward_length'),
    heads,
    kvHeads: positive('attention.head_count_kv', heads),
    keyLength,
    valueLength: positive('attention.value_length', headLength),
    contextLength: positive('context_length'),
    rmsEpsilon: metadata.require(metadata.number, key('attention.layer_norm_rms_epsilon')),
    ropeTheta: metadata.number(key('rope.freq_base')) ?? 10_000,
    ropeDimensions: positive('rope.dimension_count', keyLength),
    ropeScalingFactor: ropeScalingFactor(metadata, key),
  }
  if (heads % config.kvHeads !== 0) throw invalid(`${heads} heads cannot share ${config.kvHeads} key-value heads`)
  if (config.ropeDimensions % 2 !== 0 || config.ropeDimensions > keyLength) {
    throw invalid(`${key('rope.dimension_count')} is ${config.ropeDimensions}, must be even and at most ${keyLength}`)
  }
  if (config.rmsEpsilon < 0 || config.ropeTheta <= 0) throw invalid('epsilon and rope.freq_base must be positive')
  if ((metadata.count(key('expert_count')) ?? 0) > 0) throw unsupported('mixtures of experts are not supported')
  return config
}

/** `rope.scaling.*` (ggml/docs/gguf.md). Llama 3's own scaling comes as a tensor, rope_freqs.weight, and needs nothing here. */
function ropeScalingFactor(metadata: Metadata, key: (name: string) => string): number {
  const type = metadata.string(key('rope.scaling.type')) ?? 'none'
  const factor = metadata.number(key('rope.scaling.factor')) ?? metadata.number(key('rope.scale_linear'))
  if (type !== 'none' && type !== 'linear') throw unsupported(`RoPE scaling '${type}' is not supported; linear is`)
  if (type === 'none' && metadata.has(key('rope.scaling.type'))) return 1
  if (factor === undefined || factor === 0) return 1
  if (factor < 0) throw invalid(`${key('rope.scaling.factor')} is ${factor}, must be positive`)
  return factor
}

const invalid = (message: string) => new PlumblineError('INVALID_GGUF', message)
const unsupported = (message: string) => new PlumblineError('UNSUPPORTED_ARCHITECTURE', message)
