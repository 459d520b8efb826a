import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeSseFrame } from './sse-frame.ts'

/** Reads one frame as the WHATWG HTML specification interprets an event stream. */
function parse(frame: string): Record<string, string> {
  const lines = frame.split(/\r\n|\r|\n/)
  expect(lines.slice(-2)).toEqual(['', ''])
  return Object.fromEntries(
    lines.slice(0, -2).map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')]
    }),
  )
}

describe('encodeSseFrame', () => {
  it('is what the specification reads back, whatever the text', () => {
    fc.assert(
      fc.property(fc.nat(), fc.string({ unit: 'binary' }), (id, t) => {
        const event = { type: 'token', i: id, token_id: 7, t } as const
        const fields = parse(encodeSseFrame(id, event))
        expect(Object.keys(fields)).toEqual(['event', 'id', 'data'])
        expect(fields).toMatchObject({ event: 'token', id: String(id) })
        expect(fields.data).toBe(JSON.stringify(event))
      }),
    )
  })

  it('keeps line breaks of all kinds inside the data', () => {
    const t = 'a\nb\r\nc\rd\u2028e\u2029'
    expect(JSON.parse(parse(encodeSseFrame(0, { type: 'token', i: 0, token_id: 1, t })).data!).t).toBe(t)
  })
})
