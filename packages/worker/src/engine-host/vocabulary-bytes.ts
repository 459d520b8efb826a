import type { VocabularyData } from '../tokenization/vocabulary.ts'
import { PipeGarbageError } from './pipe-frame.ts'

// Payload of a vocabulary frame: uint32 little-endian, the bytes of a JSON text; that text, the head; where each token ends, uint32 in
// the order of this machine's bytes; the bytes of all tokens.

interface Head {
  readonly kind: string
  readonly size: number
  readonly endOfGenerationIds: readonly number[]
  readonly chatTemplate?: {
    readonly source: string
    readonly bos: string
    readonly eos: string
    readonly control: readonly [string, number][]
  }
}

export function encodeVocabulary({ kind, endOfGenerationIds, chatTemplate, bytes, ends }: VocabularyData): Buffer {
  const { source, tokens } = chatTemplate ?? {}
  const template = tokens && { source, ...tokens, control: [...tokens.control] }
  const head = Buffer.from(JSON.stringify({ kind, size: ends.length, endOfGenerationIds, chatTemplate: template }))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(head.length)
  const used = bytes.subarray(0, ends.at(-1) ?? 0)
  return Buffer.concat([length, head, new Uint8Array(ends.buffer, ends.byteOffset, ends.byteLength), used])
}

/** Throws a PipeGarbageError unless the payload is exactly one vocabulary. */
export function decodeVocabulary(payload: Buffer): VocabularyData {
  try {
    const headEnd = 4 + payload.readUInt32LE(0)
    const head = JSON.parse(payload.toString('utf8', 4, headEnd)) as Head
    const { kind, size, endOfGenerationIds, chatTemplate } = head
    const bytesStart = headEnd + 4 * size
    if (!(bytesStart <= payload.length)) throw new Error('it ends early')
    const ends = new Uint32Array(size)
    payload.copy(new Uint8Array(ends.buffer), 0, headEnd, bytesStart)
    const bytes = Uint8Array.from(payload.subarray(bytesStart))
    const rises = ends.every((end, id) => id === 0 || end >= ends[id - 1]!)
    const areIds = Array.isArray(endOfGenerationIds) && endOfGenerationIds.every((id) => Number.isInteger(id))
    if (typeof kind !== 'string' || !areIds || !rises || (ends.at(-1) ?? 0) !== bytes.length)
      throw new Error('it contradicts itself')
    if (!chatTemplate) return { kind, endOfGenerationIds, chatTemplate: undefined, bytes, ends }
    const { source, bos, eos, control } = chatTemplate
    if (![source, bos, eos].every((text) => typeof text === 'string')) throw new Error('its template is no text')
    return {
      kind,
      endOfGenerationIds,
      chatTemplate: { source, tokens: { bos, eos, control: new Map(control) } },
      bytes,
      ends,
    }
  } catch (error) {
    throw new PipeGarbageError(`a vocabulary that cannot be read: ${(error as Error).message}`)
  }
}
