/**
 * The words of a text, lower-cased. A hyphenated compound is one word, and so is one with an apostrophe: `fifty-four`
 * is neither `fifty` nor `four`, and `seven` is not in `seventeen`.
 */
export function wordsOf(text: string): string[] {
  // The hyphens of Unicode that typesetters use (U+2010, U+2011) and the typewriter's are one.
  const plain = text
    .normalize('NFKC')
    .replace(/[\u2010\u2011]/g, '-')
    .replace(/\u2019/g, "'")
    .toLowerCase()
  return plain.match(/[\p{L}\p{M}\p{N}]+(?:[-'][\p{L}\p{M}\p{N}]+)*/gu) ?? []
}

/** How often `word` stands in `text` as a word of its own, whatever its case. */
export function countWord(text: string, word: string): number {
  const wanted = word.toLowerCase()
  return wordsOf(text).filter((found) => found === wanted).length
}

/** The lines of a poem: trimmed, without the empty ones. */
export function linesOf(text: string): string[] {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
}
