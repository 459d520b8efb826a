const CONTROL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']
const NORMAL_TYPE = 1
const CONTROL_TYPE = 3

export interface Vocabulary {
  readonly tokens: readonly string[]
  readonly types: readonly number[]
  readonly merges: readonly string[]
  readonly endOfText: number
  readonly endOfTurn: number
}

/**
 * A byte-level BPE vocabulary of any size: the 256 bytes as GPT-2 spells them, all pairs of them, then pairs with a third byte, each
 * the product of one merge; at last three control tokens. It means nothing, but costs at load what a real one does.
 */
export function madeUpVocabulary(size: number): Vocabulary {
  const normal = size - CONTROL.length
  if (normal < 256 || normal > 256 + 256 ** 2 + 256 ** 3)
    throw new RangeError(`no vocabulary of ${size} tokens is made here`)
  const tokens = gpt2Bytes()
  const merges: string[] = []
  for (let i = 0; tokens.length < normal; i++) {
    const left = tokens[Math.floor(i / 256)]!
    const right = tokens[i % 256]!
    merges.push(`${left} ${right}`)
    tokens.push(left + right)
  }
  const types = [...tokens.map(() => NORMAL_TYPE), ...CONTROL.map(() => CONTROL_TYPE)]
  return { tokens: [...tokens, ...CONTROL], types, merges, endOfText: normal, endOfTurn: normal + 2 }
}

/** bytes_to_unicode() of GPT-2's encoder.py: printable bytes as they are, the others from U+0100 on. */
function gpt2Bytes(): string[] {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++))
}
