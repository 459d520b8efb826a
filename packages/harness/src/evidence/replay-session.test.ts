import { haikuNanoPath } from '@plumbline/haiku-nano'
import { Q8_16 } from '@plumbline/reference'
import { beforeAll, expect, test } from 'vitest'
import { ReplaySession } from './replay-session.ts'
import { readSubject, type Subject } from './subject.ts'
import { LOGIT_NOISE } from './tolerance.ts'

let subject: Subject
let ids: number[]

beforeAll(async () => {
  subject = await readSubject(haikuNanoPath)
  ids = subject.tokenizer.encodeChat([{ role: 'user', content: 'Haiku about rain with forty and lantern' }])
})

test('floats: one pass, and the measured noise at every place', () => {
  const places = new ReplaySession(subject, 'float').append(ids)
  expect(places.map(({ logits }) => logits)).toEqual(subject.model().newSession().append(ids))
  for (const { logits, unrounded, tolerance } of places) {
    expect(unrounded).toBe(logits)
    expect(tolerance).toBe(LOGIT_NOISE)
  }
})

test('q8_16: logits with the rounding and without it, and a tolerance by what lies between them', () => {
  const session = new ReplaySession(subject, 'q8_16')
  const places = [...session.append(ids.slice(0, 7)), ...session.append(ids.slice(7))]
  const model = subject.model()
  expect(places.map(({ logits }) => logits)).toEqual(model.newSession({ activations: Q8_16 }).append(ids))
  expect(places.map(({ unrounded }) => unrounded)).toEqual(model.newSession().append(ids))
  const spreads = places.map(({ logits, unrounded }) => {
    const likeliest = [...logits.keys()].toSorted((a, b) => logits[b]! - logits[a]!).slice(0, 20)
    const off = likeliest.map((id) => logits[id]! - unrounded[id]!)
    return Math.max(...off) - Math.min(...off)
  })
  for (const [place, { tolerance }] of places.entries()) {
    const most = Math.max(...spreads.slice(Math.max(0, place - 4), place + 1))
    expect(tolerance).toBe(Math.max(LOGIT_NOISE, Math.min(3, 2 * most)))
  }
  expect(places.at(-1)!.tolerance).toBeGreaterThan(LOGIT_NOISE)
})
