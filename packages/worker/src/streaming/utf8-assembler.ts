/**
 * Bytes in pieces to whole UTF-8 text. A character is held back until it is complete; what cannot become one is U+FFFD as
 * the WHATWG Encoding Standard has it, so the pieces joined are what decoding all bytes at once gives. A byte order mark
 * is text: models do write it.
 */
export class Utf8Assembler {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })

  push(bytes: Uint8Array): string {
    return this.#decoder.decode(bytes, { stream: true })
  }

  finish(): string {
    return this.#decoder.decode()
  }
}
