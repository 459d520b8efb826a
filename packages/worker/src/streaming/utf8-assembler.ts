/** What a token adds to an answer. */
export interface TokenText {
  /** Maybe a part of a UTF-8 character. */
  readonly bytes: Uint8Array
  /** What the bytes are by themselves, if they are whole UTF-8. */
  readonly text: string | undefined
}

const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })

export function tokenText(bytes: Uint8Array): TokenText {
  try {
    return { bytes, text: strict.decode(bytes) }
  } catch {
    return { bytes, text: undefined }
  }
}

/**
 * Bytes in pieces to whole UTF-8 text. A character is held back until it is complete; what cannot become one is U+FFFD as
 * the WHATWG Encoding Standard has it, so the pieces joined are what decoding all bytes at once gives. A byte order mark
 * is text: models do write it.
 */
export class Utf8Assembler {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  /** The decoder may hold the beginning of a character. */
  #holding = false

  push({ bytes, text }: TokenText): string {
    if (text !== undefined && !this.#holding) return text
    // What is held is complete, or proves to be none, before or in bytes that are whole.
    this.#holding = text === undefined || (this.#holding && bytes.length === 0)
    return this.#decoder.decode(bytes, { stream: true })
  }

  finish(): string {
    return this.#decoder.decode()
  }
}
