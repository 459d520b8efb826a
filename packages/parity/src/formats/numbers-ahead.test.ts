import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { seededRandom } from '../../test/helpers/damage.ts'
import { temporaryFolder } from '../../test/helpers/recordings.ts'
import { openRecording } from './open-recording.ts'

const WIDTH = 4096
const LINES = 300

/** Enough for a second thread, with lines that only the slow way can read, too large ones and too short ones among them. */
function writeLines(path: string, oddLines: ReadonlyMap<number, string>): Float64Array[] {
  const random = seededRandom(5)
  const expected: Float64Array[] = []
  const lines = Array.from({ length: LINES }, (_, index) => {
    const values = Float64Array.from({ length: WIDTH }, () => (random() - 0.5) * 10 ** Math.floor(random() * 12 - 6))
    const odd = oddLines.get(index)
    if (odd !== undefined) values[7] = Number(odd.replaceAll('"', ''))
    expected.push(values)
    const texts = Array.from(values, (value, at) => (at === 7 && odd !== undefined ? odd : String(value)))
    const head = `"checkpoint":"logits","team":"a","token_idx":${index},"dtype":"f64","shape":"[${WIDTH}]"`
    return `{${head},"values":[${texts}]}\n`
  })
  writeFileSync(path, lines.join(''))
  return expected
}

it('reads the same numbers ahead as one after the other, in whatever order they are asked for', async () => {
  const path = join(temporaryFolder(), 'x.jsonl')
  const odd = new Map([
    [0, '"NaN"'],
    [41, '5e-324'],
    [150, '0.1000000000000000000000000000000000000001'],
    [299, '-Infinity'],
  ])
  const expected = writeLines(path, odd)
  const recording = await openRecording(path)
  const logits = recording.runs[0]!.checkpoints.get('logits')!
  const random = seededRandom(6)
  const orders = [
    Array.from(expected, (_, index) => index),
    Array.from(expected, (_, index) => LINES - 1 - index),
    Array.from({ length: 200 }, () => Math.floor(random() * LINES)),
    Array.from({ length: LINES }, (_, index) => index ^ 1),
  ]
  for (const order of orders) {
    for (const index of order) expect(logits.slab(index).read()).toEqual(expected[index])
  }
  recording.close()
  expect(() => logits.slab(0).read()).toThrow()
})

it('says where a number is missing or broken that was read ahead', async () => {
  const path = join(temporaryFolder(), 'x.jsonl')
  writeLines(path, new Map([[100, '1.5.2']]))
  const recording = await openRecording(path)
  const logits = recording.runs[0]!.checkpoints.get('logits')!
  expect(() => logits.slab(100).read()).toThrow(/byte \d+: a number must stand here/)
  expect(logits.slab(101).read()).toHaveLength(WIDTH)
  recording.close()
})
