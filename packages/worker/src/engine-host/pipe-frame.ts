/**
 * Frames on the pipe between the front and the engine process. Every frame is a header of 8 bytes and a payload:
 *
 *     offset  size  what
 *          0     2  'P' 'L'
 *          2     1  kind: FRAME_KIND
 *          3     1  PIPE_VERSION
 *          4     4  payload bytes, uint32 little-endian
 *
 * Anything else on the pipe is garbage (a native library that prints to the wrong descriptor, a process gone wild), and the
 * reader says so instead of guessing where the next frame begins.
 */
export const PIPE_VERSION = 1
/** The descriptor that the engine process finds the pipe at. */
export const PIPE_FD = 3

export const FRAME_KIND = { json: 1, tokens: 2, tokenizer: 3, vocabulary: 4 } as const
export type FrameKind = (typeof FRAME_KIND)[keyof typeof FRAME_KIND]

const KINDS: ReadonlySet<number | undefined> = new Set(Object.values(FRAME_KIND))

const HEADER_BYTES = 8
/** Room for the metadata of a tokenizer of a million tokens. */
const MAX_PAYLOAD_BYTES = 128 * 1024 * 1024

export class PipeGarbageError extends Error {
  override readonly name = 'PipeGarbageError'
}

export function encodeFrame(kind: FrameKind, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length)
  frame.write('PL', 0, 'latin1')
  frame[2] = kind
  frame[3] = PIPE_VERSION
  frame.writeUInt32LE(payload.length, 4)
  frame.set(payload, HEADER_BYTES)
  return frame
}

/** Cuts a stream of chunks into frames. */
export class PipeFrameReader {
  readonly #onFrame: (kind: FrameKind, payload: Buffer) => void
  #chunks: Buffer[] = []
  #buffered = 0
  /** Nothing can be cut off before this many bytes are there. */
  #needed = HEADER_BYTES

  constructor(onFrame: (kind: FrameKind, payload: Buffer) => void) {
    this.#onFrame = onFrame
  }

  /** Throws a PipeGarbageError for anything that is not a frame. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#buffered += chunk.length
    if (this.#buffered < this.#needed) return

    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks)
    let offset = 0
    this.#needed = HEADER_BYTES
    while (bytes.length - offset >= HEADER_BYTES) {
      const payloadBytes = payloadLength(bytes, offset)
      const end = offset + HEADER_BYTES + payloadBytes
      if (end > bytes.length) {
        this.#needed = HEADER_BYTES + payloadBytes
        break
      }
      this.#onFrame(bytes[offset + 2] as FrameKind, bytes.subarray(offset + HEADER_BYTES, end))
      offset = end
    }
    const rest = bytes.subarray(offset)
    this.#chunks = rest.length === 0 ? [] : [rest]
    this.#buffered = rest.length
  }
}

function payloadLength(bytes: Buffer, offset: number): number {
  const kind = bytes[offset + 2]
  const knownKind = KINDS.has(kind)
  const length = bytes.readUInt32LE(offset + 4)
  if (bytes[offset] !== 0x50 || bytes[offset + 1] !== 0x4c || !knownKind || length > MAX_PAYLOAD_BYTES) {
    throw new PipeGarbageError('bytes on the engine pipe that are no frame')
  }
  if (bytes[offset + 3] !== PIPE_VERSION) {
    throw new PipeGarbageError(`the engine speaks version ${bytes[offset + 3]} of the pipe, not ${PIPE_VERSION}`)
  }
  return length
}
