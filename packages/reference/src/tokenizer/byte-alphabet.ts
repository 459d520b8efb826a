/**
 * The alphabet of byte-level BPE: a printable character for each byte (Radford et al., "Language models are unsupervised
 * multitask learners", 2019; `bytes_to_unicode` of openai/gpt-2's encoder.py). Printable Latin-1 bytes stand for
 * themselves, the others for U+0100 and up in order.
 */
const isPrintable = (byte: number) =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)

/** The character of each byte. */
export const BYTE_ALPHABET: readonly string[] = byteCharacters()
function byteCharacters(): string[] {
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++))
}

const bytes = new Map(BYTE_ALPHABET.map((character, byte) => [character, byte]))
const utf8 = new TextEncoder()

/** The UTF-8 bytes of a text, one character each. */
export function toByteAlphabet(text: string): string {
  return Array.from(utf8.encode(text), (byte) => BYTE_ALPHABET[byte]).join('')
}

/** The bytes that a token stands for; a character that is not of the alphabet stands for its own UTF-8. */
export function fromByteAlphabet(token: string): number[] {
  return Array.from(token).flatMap((character) => bytes.get(character) ?? [...utf8.encode(character)])
}
