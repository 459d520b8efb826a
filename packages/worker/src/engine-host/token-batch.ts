import { PipeGarbageError } from './pipe-frame.ts'

/** One sampled token on its way from the engine to a client. */
export interface SampledToken {
  /** Index in the answer: 0, 1, 2, … */
  readonly index: number
  readonly id: number
  readonly logprob?: number
  readonly top?: readonly { readonly id: number; readonly logprob: number }[]
}

/**
 * Payload of a tokens frame, little-endian: job uint32, count uint32, then for each token index uint32, id uint32, detail uint8:
 * 0 = no logprob; n > 0 = logprob float64 and n - 1 alternatives, each id uint32 and logprob float64.
 */
export function encodeTokenBatch(job: number, tokens: readonly SampledToken[]): Buffer {
  let size = 8
  for (const token of tokens) size += 9 + (token.logprob === undefined ? 0 : 8 + 12 * (token.top?.length ?? 0))
  const bytes = Buffer.allocUnsafe(size)
  let at = bytes.writeUInt32LE(tokens.length, bytes.writeUInt32LE(job, 0))
  for (const token of tokens) {
    at = bytes.writeUInt32LE(token.id, bytes.writeUInt32LE(token.index, at))
    if (token.logprob === undefined) {
      at = bytes.writeUInt8(0, at)
      continue
    }
    const top = token.top ?? []
    at = bytes.writeDoubleLE(token.logprob, bytes.writeUInt8(top.length + 1, at))
    for (const other of top) at = bytes.writeDoubleLE(other.logprob, bytes.writeUInt32LE(other.id, at))
  }
  return bytes
}

/** Throws a PipeGarbageError unless the payload is exactly one batch. */
export function decodeTokenBatch(bytes: Buffer): { job: number; tokens: SampledToken[] } {
  try {
    const job = bytes.readUInt32LE(0)
    const count = bytes.readUInt32LE(4)
    const tokens: SampledToken[] = []
    let at = 8
    for (let n = 0; n < count; n++) {
      const index = bytes.readUInt32LE(at)
      const id = bytes.readUInt32LE(at + 4)
      const detail = bytes.readUInt8(at + 8)
      at += 9
      if (detail === 0) {
        tokens.push({ index, id })
        continue
      }
      const logprob = bytes.readDoubleLE(at)
      at += 8
      const top: { id: number; logprob: number }[] = []
      for (let other = 1; other < detail; other++, at += 12) {
        top.push({ id: bytes.readUInt32LE(at), logprob: bytes.readDoubleLE(at + 4) })
      }
      tokens.push(top.length === 0 ? { index, id, logprob } : { index, id, logprob, top })
    }
    if (at !== bytes.length) throw new RangeError(`${bytes.length - at} bytes too many`)
    return { job, tokens }
  } catch (error) {
    throw new PipeGarbageError(`a token batch that cannot be read: ${(error as Error).message}`)
  }
}
