import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AnswerText } from './answer-text.ts'
import { tokenText } from './utf8-assembler.ts'

function stream(tokens: readonly Uint8Array[], stops: readonly string[]) {
  const answer = new AnswerText(stops)
  const pieces: string[] = []
  let stopped: string | undefined
  for (const token of tokens) {
    const piece = answer.push(tokenText(token))
    pieces.push(piece.t)
    stopped = piece.stopped
    if (stopped !== undefined) break
  }
  const last = answer.finish()
  pieces.push(last.t)
  return { pieces, text: pieces.join(''), stopped: stopped ?? last.stopped }
}

/** The whole text at once, cut where the first stop string to be complete begins. */
function oracle(tokens: readonly Uint8Array[], stops: readonly string[]): string {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(tokens))
  for (let end = 1; end <= text.length; end++) {
    const found = stops.filter((stop) => text.slice(0, end).endsWith(stop))
    if (found.length > 0) return text.slice(0, end - Math.max(...found.map((stop) => stop.length)))
  }
  return text
}

const bytes = (text: string) => new TextEncoder().encode(text)

// Few different letters, so that stop strings occur, overlap and begin without ending; and characters of 2, 3 and 4 bytes.
const character = fc.constantFrom('a', 'b', 'a', 'b', '\n', 'é', '…', '🦙', '\uFFFD', '\uFEFF')
const text = fc.array(character, { maxLength: 30 }).map((characters) => characters.join(''))
const stop = fc.array(character, { minLength: 1, maxLength: 4 }).map((characters) => characters.join(''))
const stops = fc.array(stop, { maxLength: 4 })

/** The bytes of an answer as tokens, cut anywhere, also inside characters; some tokens are empty. */
const tokensOf = (content: fc.Arbitrary<Uint8Array>) =>
  fc.tuple(content, fc.array(fc.nat(64), { maxLength: 20 })).map(([whole, cuts]) => {
    const at = [0, ...cuts.map((cut) => Math.min(cut, whole.length)), whole.length].sort((a, b) => a - b)
    return at.slice(1).map((end, index) => whole.slice(at[index], end))
  })
const validTokens = tokensOf(text.map(bytes))
const anyTokens = tokensOf(
  fc.array(fc.oneof(fc.uint8Array({ maxLength: 4 }), character.map(bytes)), { maxLength: 12 }).map((parts) => {
    return new Uint8Array(Buffer.concat(parts))
  }),
)

describe('AnswerText', () => {
  it('is the decoded tokens cut at the first stop match, whatever the bytes, the cuts and the stop strings', () => {
    fc.assert(
      fc.property(fc.oneof(validTokens, anyTokens), stops, (tokens, stops) => {
        expect(stream(tokens, stops).text).toBe(oracle(tokens, stops))
      }),
      { numRuns: 2_000 },
    )
  })

  it('never sends half a character nor anything that it would have to take back', () => {
    fc.assert(
      fc.property(validTokens, stops, (tokens, stops) => {
        const whole = oracle(tokens, stops)
        let sent = ''
        for (const piece of stream(tokens, stops).pieces) {
          expect(piece.isWellFormed()).toBe(true)
          sent += piece
          expect(whole.startsWith(sent)).toBe(true)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('withholds no more than the beginning of a stop string and the bytes of one character', () => {
    fc.assert(
      fc.property(validTokens, stops, (tokens, stops) => {
        const longest = Math.max(0, ...stops.map((stop) => stop.length - 1))
        const { pieces, stopped } = stream(tokens, stops)
        if (stopped === undefined) expect(pieces.at(-1)!.length).toBeLessThanOrEqual(longest)
      }),
      { numRuns: 2_000 },
    )
  })

  it('sends a character with the token that completes it', () => {
    const llama = bytes('🦙')
    expect(stream([llama.slice(0, 1), llama.slice(1, 3), llama.slice(3)], []).pieces).toEqual(['', '', '🦙', ''])
  })

  it('ends an incomplete character as U+FFFD', () => {
    expect(stream([bytes('a'), Uint8Array.of(0xe2, 0x80)], []).pieces).toEqual(['a', '', '\uFFFD'])
  })

  it('keeps a byte order mark, which is text', () => {
    expect(stream([bytes('\uFEFF'), bytes('a')], []).text).toBe('\uFEFFa')
  })

  it('withholds the beginning of a stop string and sends it once it is none', () => {
    expect(stream([bytes('a\n'), bytes('\nb'), bytes('\n')], ['\n\n\n']).pieces).toEqual(['a', '\n\nb', '', '\n'])
  })

  it('stops at the match that is complete first, the longest of those that end together', () => {
    expect(stream([bytes('xabcd')], ['abcd', 'bc'])).toMatchObject({ text: 'xa', stopped: 'bc' })
    expect(stream([bytes('xabc')], ['bc', 'abc'])).toMatchObject({ text: 'x', stopped: 'abc' })
  })

  it('cuts a stop string that the U+FFFD of an incomplete character completes', () => {
    expect(stream([bytes('ab'), Uint8Array.of(0xf0)], ['b\uFFFD'])).toMatchObject({ text: 'a', stopped: 'b\uFFFD' })
  })

  it('sends nothing after a stop match', () => {
    const answer = new AnswerText(['.'])
    expect(answer.push(tokenText(bytes('a.')))).toEqual({ t: 'a', stopped: '.' })
    expect(answer.push(tokenText(bytes('b')))).toEqual({ t: '' })
    expect(answer.finish()).toEqual({ t: '' })
  })
})
