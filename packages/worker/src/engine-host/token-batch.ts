import { PipeGarbageError } from './pipe-frame.ts'

/** One sampled token on its way from the engine to a client. */
export interface SampledToken {
  /** Index in the answer: 0, 1, 2, … */
  readonly index: number
  readonly id: number
  readonly logprob?: number
  readonly top?: readonly { readonly id: number; readonly logprob: number }[]
}

// A token as bytes, little-endian: index uint32, id uint32, detail uint8: 0 = no logprob; n > 0 = logprob float64 and n - 1
// alternatives, each id uint32 and logprob float64.

export function tokenBytes({ logprob, top }: SampledToken): number {
  return 9 + (logprob === undefined ? 0 : 8 + 12 * (top?.length ?? 0))
}

/** @returns the offset behind it */
export function writeToken({ index, id, logprob, top = [] }: SampledToken, bytes: Buffer, offset: number): number {
  let at = bytes.writeUInt32LE(id, bytes.writeUInt32LE(index, offset))
  if (logprob === undefined) return bytes.writeUInt8(0, at)
  at = bytes.writeDoubleLE(logprob, bytes.writeUInt8(top.length + 1, at))
  for (const other of top) at = bytes.writeDoubleLE(other.logprob, bytes.writeUInt32LE(other.id, at))
  return at
}

/** Throws a RangeError when the bytes end before the token does. */
export function readToken(bytes: Buffer, offset: number): SampledToken {
  const index = bytes.readUInt32LE(offset)
  const id = bytes.readUInt32LE(offset + 4)
  const detail = bytes.readUInt8(offset + 8)
  if (detail === 0) return { index, id }
  const logprob = bytes.readDoubleLE(offset + 9)
  if (detail === 1) return { index, id, logprob }
  const top: { id: number; logprob: number }[] = []
  for (let other = 1, at = offset + 17; other < detail; other++, at += 12) {
    top.push({ id: bytes.readUInt32LE(at), logprob: bytes.readDoubleLE(at + 4) })
  }
  return { index, id, logprob, top }
}

/** Payload of a tokens frame: job uint32, count uint32, and the tokens. */
export function encodeTokenBatch(job: number, tokens: readonly SampledToken[]): Buffer {
  const bytes = Buffer.allocUnsafe(tokens.reduce((size, token) => size + tokenBytes(token), 8))
  let at = bytes.writeUInt32LE(tokens.length, bytes.writeUInt32LE(job, 0))
  for (const token of tokens) at = writeToken(token, bytes, at)
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
      const token = readToken(bytes, at)
      tokens.push(token)
      at += tokenBytes(token)
    }
    if (at !== bytes.length) throw new RangeError(`${bytes.length - at} bytes too many`)
    return { job, tokens }
  } catch (error) {
    throw new PipeGarbageError(`a token batch that cannot be read: ${(error as Error).message}`)
  }
}
