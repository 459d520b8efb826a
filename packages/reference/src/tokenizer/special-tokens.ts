/** A text cut at special tokens: plain text as strings, special tokens as ids. */
export type Fragment = string | number

/** Cuts at the leftmost special token, of those that begin there the longest. Never yields an empty string. */
export function splitAtSpecialTokens(text: string, specialIds: ReadonlyMap<string, number>): Fragment[] {
  if (specialIds.size === 0) return text === '' ? [] : [text]
  const fragments: Fragment[] = []
  let end = 0
  for (const match of text.matchAll(anyOf([...specialIds.keys()]))) {
    fragments.push(text.slice(end, match.index), specialIds.get(match[0])!)
    end = match.index + match[0].length
  }
  return [...fragments, text.slice(end)].filter((fragment) => fragment !== '')
}

/** Matches any of the texts, the longest first. */
export function anyOf(texts: readonly string[]): RegExp {
  const longestFirst = [...texts].sort((a, b) => b.length - a.length)
  const escaped = longestFirst.map((text) => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
  return new RegExp(escaped.join('|'), 'gu')
}
