import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { ExampleRecording } from './example-recordings.ts'

export interface DamagedRecording {
  readonly of: ExampleRecording
  /** What was done, to which file. */
  readonly damage: string
  /** What is opened. */
  readonly path: string
}

/** Numbers between 0 and 1 that come again with their seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

type Random = (below: number) => number
type Mutation = (bytes: Buffer, random: Random) => Buffer

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  cut: (bytes, random) => bytes.subarray(0, random(bytes.length)),
  'cut the beginning': (bytes, random) => bytes.subarray(1 + random(bytes.length - 1)),
  'flip a bit': (bytes, random) => {
    const at = random(bytes.length)
    bytes[at]! ^= 1 << random(8)
    return bytes
  },
  'flip a bit near the beginning': (bytes, random) => {
    const at = random(Math.min(256, bytes.length))
    bytes[at]! ^= 1 << random(8)
    return bytes
  },
  'flip many bits': (bytes, random) => {
    for (let count = 0; count < 20; count++) {
      const at = random(bytes.length)
      bytes[at]! ^= 1 << random(8)
    }
    return bytes
  },
  'set the rest': (bytes, random) => bytes.fill(random(2) === 0 ? 0xff : 0x00, random(bytes.length)),
  'fill a range': (bytes, random) => {
    const at = random(bytes.length)
    return bytes.fill(random(2) === 0 ? 0xff : 0, at, Math.min(bytes.length, at + 8 + random(64)))
  },
  'a run of zeros within': (bytes, random) => {
    const at = random(bytes.length)
    return bytes.fill(0, at, Math.min(bytes.length, at + 100 + random(bytes.length / 4)))
  },
  'insert bytes': (bytes, random) => {
    const at = random(bytes.length)
    const inserted = Buffer.from(Array.from({ length: 1 + random(16) }, () => random(256)))
    return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)])
  },
  'remove bytes': (bytes, random) => {
    const at = random(bytes.length)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(16))])
  },
  append: (bytes, random) =>
    Buffer.concat([bytes, Buffer.from(Array.from({ length: 1 + random(64) }, () => random(256)))]),
  'repeat a part': (bytes, random) => {
    const at = random(bytes.length)
    const end = at + 1 + random(bytes.length - at)
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)])
  },
  'swap two lines': (bytes, random) =>
    inLines(bytes, (lines) => {
      const [a, b] = [random(lines.length), random(lines.length)]
      ;[lines[a], lines[b]] = [lines[b]!, lines[a]!]
    }),
  'repeat a line': (bytes, random) =>
    inLines(bytes, (lines) => {
      const at = random(lines.length)
      lines.splice(at, 0, lines[at]!)
    }),
  'remove a line': (bytes, random) => inLines(bytes, (lines) => void lines.splice(random(lines.length), 1)),
  'another number': (bytes, random) => inNumber(bytes, random, () => String(random(100))),
  'a huge number': (bytes, random) => inNumber(bytes, random, () => '9'.repeat(10 + random(15))),
  'a negative number': (bytes, random) => inNumber(bytes, random, (number) => `-${number}`),
  'no number': (bytes, random) => inNumber(bytes, random, () => ['null', 'NaN', '"x"', '[]', '1e999', ''][random(6)]!),
  gzip: (bytes) => gzipSync(bytes),
  empty: () => Buffer.alloc(0),
}

/**
 * Damaged copies of the examples, `count` of each, in `folder`: each is there until the next is taken. The same seed makes the same
 * ones. Damage that happens to change no byte is left out.
 */
export function* damagedRecordings(
  examples: readonly ExampleRecording[],
  { folder, count, seed }: { readonly folder: string; readonly count: number; readonly seed: number },
): Generator<DamagedRecording> {
  const names = Object.keys(MUTATIONS)
  for (const [exampleIndex, example] of examples.entries()) {
    const source = example.files[0] === undefined ? example.path : dirname(example.files[0])
    for (let index = 0; index < count; index++) {
      const next = seededRandom(seed + exampleIndex * 10_007 + index)
      const random: Random = (below) => Math.floor(next() * Math.max(1, below))
      const mutation = names[index % names.length]!
      const file = example.files[random(example.files.length)]!
      const original = readFileSync(file)
      const damaged = MUTATIONS[mutation]!(Buffer.from(original), random)
      if (damaged.equals(original)) continue
      const at = join(folder, `${example.name}-${index}`)
      mkdirSync(at, { recursive: true })
      cpSync(source, at, { recursive: true })
      writeFileSync(join(at, basename(file)), damaged)
      const path = example.path === source || basename(example.path) === '.' ? at : join(at, basename(example.path))
      yield { of: example, damage: `${mutation} in ${basename(file)} (seed ${seed}, ${index})`, path }
      rmSync(at, { recursive: true, force: true })
    }
  }
}

function inLines(bytes: Buffer, change: (lines: string[]) => void): Buffer {
  const lines = bytes.toString('latin1').split('\n')
  change(lines)
  return Buffer.from(lines.join('\n'), 'latin1')
}

/** Changes one number that is written in digits, if there is one. */
function inNumber(bytes: Buffer, random: Random, change: (number: string) => string): Buffer {
  const text = bytes.toString('latin1')
  const numbers = [...text.matchAll(/\d+(?:\.\d+)?/g)]
  const match = numbers[random(numbers.length)]
  if (match === undefined) return bytes
  return Buffer.from(
    `${text.slice(0, match.index)}${change(match[0])}${text.slice(match.index + match[0].length)}`,
    'latin1',
  )
}
