/**
 * GPT-2's byte-level characters (openai/gpt-2, encoder.py, bytes_to_unicode): every byte has a printable character;
 * those that have none of their own are U+0100 and up, in order of the bytes.
 */
const BYTES = new Map<string, number>()
const isPrintable = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
for (let byte = 0, unprintable = 0; byte < 256; byte++) {
  BYTES.set(String.fromCharCode(isPrintable(byte) ? byte : 0x100 + unprintable++), byte)
}

export const BYTE_LEVEL_CHARACTERS: readonly string[] = [...BYTES.keys()]

const NO_BYTE = 256
/** By UTF-16 code: a vocabulary has a million of them. */
const BYTE_OF_CODE = new Uint16Array(0x144).fill(NO_BYTE)
for (const [character, byte] of BYTES) BYTE_OF_CODE[character.charCodeAt(0)] = byte

const utf8 = new TextEncoder()

/** The bytes that a token in byte-level characters stands for; a character that stands for no byte is its own UTF-8. */
export function bytesOfByteLevel(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length)
  for (let at = 0; at < token.length; at++) {
    const byte = BYTE_OF_CODE[token.charCodeAt(at)] ?? NO_BYTE
    if (byte === NO_BYTE) return mixedBytes(token)
    bytes[at] = byte
  }
  return bytes
}

function mixedBytes(token: string): Uint8Array {
  const bytes: number[] = []
  for (const character of token) {
    const byte = BYTES.get(character)
    if (byte === undefined) bytes.push(...utf8.encode(character))
    else bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}
