import { PlumblineError } from '@plumbline/protocol'
import type { GgufFile } from '../gguf/read-gguf.ts'
import type { RoundActivations } from './activations.ts'
import { type ModelConfig, readConfig } from './config.ts'
import { type CheckpointObserver, forward } from './forward.ts'
import { KvCache } from './kv-cache.ts'
import { ropeFrequencies } from './rope.ts'
import { loadWeights, type Weights } from './weights.ts'

export interface ReferenceModel {
  readonly config: ModelConfig
  /** For those who replay single ops, rightly or wrongly. */
  readonly weights: Weights
  readonly gguf: GgufFile
  readonly vocabSize: number
  /** The most positions that a session takes. */
  readonly maxContext: number
  /** Logits of each position of `ids`, float64, from an empty context. */
  forward(ids: readonly number[], options?: { checkpoint?: CheckpointObserver }): Float64Array[]
  /**
   * `activations`: how what matrices of quantised weights read is rounded. All else is computed as ever: matrices of F32, F16 and BF16
   * weights, norms, RoPE, attention, its cache, and SwiGLU.
   */
  newSession(options?: { activations?: RoundActivations }): Session
}

/** One context, with its keys and values. */
export interface Session {
  /** Positions so far. */
  readonly length: number
  /** Evaluates `ids` after what is there; returns the logits of each of them. Chunks of any size give the same bits. */
  append(ids: readonly number[], checkpoint?: CheckpointObserver): Float64Array[]
  /** Forgets all positions from `length` on. */
  truncate(length: number): void
}

/** Loads a model for the float64 forward pass. `maxContext`: what it was trained for, unless told otherwise. */
export function loadModel(gguf: GgufFile, options: { maxContext?: number } = {}): ReferenceModel {
  const config = readConfig(gguf)
  const weights = loadWeights(gguf, config)
  const frequencies = ropeFrequencies(config, weights.ropeFactors)
  const vocabSize = weights.tokenEmbedding.rows
  const maxContext = options.maxContext ?? config.contextLength

  const newSession = ({ activations }: { activations?: RoundActivations } = {}): Session => {
    const { kvHeads, keyLength, valueLength } = config
    const caches = weights.layers.map(() => new KvCache(kvHeads * keyLength, kvHeads * valueLength))
    const context = { config, weights, ropeFrequencies: frequencies, caches, activations }
    let length = 0
    return {
      get length() {
        return length
      },
      append(ids, checkpoint) {
        if (ids.length === 0) return []
        if (length + ids.length > maxContext) {
          const message = `${length + ids.length} tokens, the context holds ${maxContext}`
          throw new PlumblineError('CONTEXT_OVERFLOW', message, { tokens: length + ids.length, context: maxContext })
        }
        const strange = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize)
        if (strange !== undefined) {
          const message = `token id ${strange} is outside the vocabulary of ${vocabSize}`
          throw new PlumblineError('INVALID_REQUEST', message, { tokenId: strange })
        }
        const logits = forward(context, ids, length, checkpoint)
        length += ids.length
        return ids.map((_, row) => logits.subarray(row * vocabSize, (row + 1) * vocabSize))
      },
      truncate(newLength) {
        if (newLength < 0 || newLength > length) throw new RangeError(`cannot truncate ${length} to ${newLength}`)
        length = newLength
      },
    }
  }

  return {
    config,
    weights,
    gguf,
    vocabSize,
    maxContext,
    newSession,
    forward: (ids, { checkpoint } = {}) => newSession().append(ids, checkpoint),
  }
}
