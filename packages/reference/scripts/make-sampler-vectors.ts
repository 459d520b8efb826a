/**
 * Makes protocol/test-vectors/sampler.json again: `pnpm --filter @plumbline/reference make-sampler-vectors`.
 * The cases stay clear of what the specification leaves open (protocol/src/sampling.ts): a case that decides by less
 * than 1e-9 is left out, unless all its weights are exactly 1.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MAX_SEED, type SamplingParameters } from '@plumbline/protocol'
import { gumbelNoise, noiseWord } from '../src/sampler/gumbel-noise.ts'
import { candidates, penalise } from '../src/sampler/kept-tokens.ts'
import { type Counter, type Key, philox4x32 } from '../src/sampler/philox.ts'
import { sample } from '../src/sampler/sample.ts'

/** At most so many of the kept tokens are written out with their noise. */
const LISTED = 64
const CLEARANCE = 1e-9

interface LogitsFormula {
  count: number
  multiplier: number
  offset: number
  modulus: number
  divisor: number
}
type LogitsSource = { logits: number[] } | { logits_formula: LogitsFormula }

let drawn = 0
/** Uniform in [0, 1), from Philox with a fixed key, so that the file is the same each time. */
function uniform(): number {
  return philox4x32([2026, 3], [drawn++, 0, 0, 0])[0] / 2 ** 32
}
const integer = (below: number) => Math.floor(uniform() * below)
const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
const pick = <T>(values: readonly T[]): T => values[integer(values.length)]!
const list = <T>(count: number, make: (index: number) => T) => Array.from({ length: count }, (_, index) => make(index))
/** Multiples of 2^-10: exact in float32 and short in JSON. */
const coarse = (value: number) => Math.round(value * 1024) / 1024 + 0

function logitsOf(source: LogitsSource): Float32Array {
  if ('logits' in source) return Float32Array.from(source.logits)
  const { count, multiplier, offset, modulus, divisor } = source.logits_formula
  return Float32Array.from(list(count, (i) => (((i * multiplier + offset) % modulus) - modulus / 2) / divisor))
}

const off: SamplingParameters = { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0n }
const cases: object[] = []
const skipped: string[] = []

function add(
  name: string,
  source: LogitsSource,
  changed: Partial<SamplingParameters>,
  history: number[] = [],
  index = 0,
) {
  const parameters = { ...off, ...changed }
  const logits = logitsOf(source)
  if ('logits' in source) {
    for (const [i, logit] of source.logits.entries()) {
      if (logits[i] !== logit) throw new Error(`${name}: logit ${i} is not a float32`)
    }
  }
  if (!isClear(logits, parameters, history, index)) {
    skipped.push(name)
    return
  }
  const { tokenId, kept } = sample(logits, parameters, history, index)
  const listed = parameters.temperature === 0 ? [] : kept.slice(0, LISTED)
  cases.push({
    name,
    parameters: {
      temperature: parameters.temperature,
      top_k: parameters.topK,
      top_p: parameters.topP,
      min_p: parameters.minP,
      repetition_penalty: parameters.repetitionPenalty,
      seed: String(parameters.seed),
    },
    history,
    answer_index: index,
    ...source,
    expected: {
      token_id: tokenId,
      kept_count: kept.length,
      kept: listed,
      philox_words: listed.map((id) => noiseWord(parameters.seed, id, index)),
      gumbel: listed.map((id) => gumbelNoise(parameters.seed, id, index)),
    },
  })
}

/** Whether the answer is the same for every implementation that keeps to the specification. */
function isClear(logits: Float32Array, parameters: SamplingParameters, history: number[], index: number): boolean {
  const { temperature, topK, topP, minP, repetitionPenalty, seed } = parameters
  if (temperature === 0) return true
  const { ranking, keptCount } = candidates(penalise(logits, history, repetitionPenalty), parameters)
  if (minP > 0 && ranking.some(({ weight }) => weight !== 1 && Math.abs(weight - minP) < CLEARANCE)) return false
  const nucleusFrom = ranking.slice(0, topK === 0 ? ranking.length : topK)
  if (topP < 1 && nucleusFrom.some(({ weight }) => weight !== 1)) {
    const total = nucleusFrom.reduce((sum, token) => sum + token.weight, 0)
    let sum = 0
    for (const { weight } of nucleusFrom) {
      sum += weight
      // A threshold that no prefix but the whole can come near is no edge.
      if (Math.abs(sum / total - topP) < CLEARANCE) return false
    }
  }
  const scores = ranking
    .slice(0, keptCount)
    .map(({ tokenId, scaled }) => scaled + gumbelNoise(seed, tokenId, index))
    .sort((a, b) => b - a)
  return scores.length === 1 || scores[0]! - scores[1]! >= CLEARANCE
}

const seeds = [0n, 1n, 42n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, MAX_SEED]
const randomSeed = () => BigInt(integer(2 ** 32)) * 2n ** 32n + BigInt(integer(2 ** 32))
const randomLogits = (count: number, spread = 3) => ({ logits: list(count, () => coarse(normal() * spread)) })
const randomHistory = (count: number, vocabulary: number) => list(count, () => integer(vocabulary))

// Temperature 0: the first maximum, after the repetition penalty.
for (const count of [1, 2, 7, 32]) add(`greedy, ${count} random logits`, randomLogits(count), { temperature: 0 })
add('greedy, all equal: the lowest id', { logits: list(9, () => 1.5) }, { temperature: 0 })
add('greedy, tie of the last two', { logits: [0, -1, 3, 3] }, { temperature: 0 })
add('greedy ignores top_k, top_p and min_p', randomLogits(8), { temperature: 0, topK: 1, topP: 0, minP: 1 })
add(
  'greedy, the penalty demotes a positive maximum',
  { logits: [2, 3, 1] },
  { temperature: 0, repetitionPenalty: 2 },
  [1],
)
add(
  'greedy, the penalty demotes a negative maximum',
  { logits: [-2, -1.5] },
  { temperature: 0, repetitionPenalty: 2 },
  [1],
)
add('greedy, the penalty makes a tie', { logits: [1, 2] }, { temperature: 0, repetitionPenalty: 2 }, [1])
add('greedy, the penalty leaves 0 as it is', { logits: [0, -0.5] }, { temperature: 0, repetitionPenalty: 2 }, [0])
add('greedy, once however often', { logits: [4, 1.5] }, { temperature: 0, repetitionPenalty: 2 }, [0, 0, 0])
add('greedy, a penalty below 1 promotes', { logits: [2, 1.5] }, { temperature: 0, repetitionPenalty: 0.5 }, [1])

// The plain draw: seeds and answer indices.
for (const seed of seeds) {
  for (const index of [0, 1, 255, 2047, 2 ** 32 - 1]) {
    add(`seed ${seed}, answer index ${index}`, { logits: list(12, () => 0) }, { seed }, [], index)
  }
}
for (const temperature of [0.01, 0.1, 0.5, 0.7, 1, 1.3, 2]) {
  for (let i = 0; i < 4; i++) {
    add(`temperature ${temperature}, ${i}`, randomLogits(24), { temperature, seed: randomSeed() }, [], integer(300))
  }
}
add(
  'a temperature at which logit / temperature would overflow',
  { logits: [1, 2, 2, -3] },
  { temperature: 1e-320, seed: 7n },
)

// What is kept.
for (const topK of [1, 2, 5, 16, 17, 1_000_000]) {
  add(`top_k ${topK} of 16`, randomLogits(16), { topK, seed: randomSeed() }, [], integer(300))
}
add('top_k among ties: the lowest ids', { logits: [1, 2, 2, 2, 1, 2] }, { topK: 3, seed: 5n })
add('top_k of all equal', { logits: list(20, () => -2) }, { topK: 4, seed: 6n })
for (const topP of [0, 0.001, 0.1, 0.5, 0.9, 0.95, 0.999, 1]) {
  for (let i = 0; i < 3; i++) add(`top_p ${topP}, ${i}`, randomLogits(20), { topP, seed: randomSeed() }, [], i)
}
for (const topP of [0.1, 0.25, 0.3, 0.5, 0.7, 0.75]) {
  add(
    `top_p ${topP} of 8 equal: exact sums, the lowest ids`,
    { logits: list(8, () => 3.25) },
    { topP, seed: randomSeed() },
  )
}
for (const minP of [0.001, 0.05, 0.1, 0.5, 0.9, 1]) {
  for (let i = 0; i < 3; i++) add(`min_p ${minP}, ${i}`, randomLogits(20), { minP, seed: randomSeed() }, [], i)
}
add('min_p 1 keeps the tied maxima', { logits: [5, 1, 5, 5, 4.5] }, { minP: 1, seed: 3n })
add(
  'min_p is relative to the largest after temperature',
  { logits: [2, 1, 0] },
  { temperature: 2, minP: 0.6, seed: 8n },
)
add('top_p is of the softmax after top_k', { logits: [3, 2.5, 2, 1.5, 1, 0.5] }, { topK: 3, topP: 0.75, seed: 9n })
add('min_p cuts what top_p leaves', { logits: [3, 2, 1, 0, -1] }, { topP: 0.99, minP: 0.3, seed: 10n })

// The penalty before the ranking.
for (const repetitionPenalty of [0.5, 0.9, 1, 1.1, 1.3, 2]) {
  for (const length of [0, 1, 40]) {
    const changed = { repetitionPenalty, temperature: 0.7, seed: randomSeed() }
    add(
      `repetition penalty ${repetitionPenalty}, ${length} in the history`,
      randomLogits(20),
      changed,
      randomHistory(length, 20),
      length,
    )
  }
}

// Extremes of float32.
const LARGEST = 3.4028234663852886e38
const SMALLEST = 1.401298464324817e-45
add('largest and smallest float32', { logits: [LARGEST, -LARGEST, 0, SMALLEST] }, { seed: 1n })
add(
  'largest float32 and a penalty',
  { logits: [LARGEST, LARGEST, -LARGEST] },
  { repetitionPenalty: 0.5, seed: 1n },
  [0, 2],
)
add('the smallest differences', { logits: [SMALLEST, 0, -SMALLEST] }, { seed: 2n })
add('smallest differences, greedy', { logits: [0, SMALLEST, -SMALLEST] }, { temperature: 0 })
add('weights that underflow', { logits: [0, -800, -1000, -(2 ** 100)] }, { topP: 0.5, seed: 3n })
add('one token', { logits: [-7] }, { topK: 3, topP: 0.5, minP: 0.5, seed: 4n })
for (let i = 0; i < 6; i++) {
  const logits = list(16, () => Math.fround(normal() * 4))
  add(`all bits of the mantissa, ${i}`, { logits }, { temperature: 0.8, topP: 0.9, seed: randomSeed() }, [], i)
}

// Everything at once.
for (let i = 0; i < 120; i++) {
  const count = 1 + integer(40)
  const changed = {
    temperature: pick([0, 0.3, 0.7, 0.7, 1, 1.5]),
    topK: pick([0, 0, 1, 5, 20, 40]),
    topP: pick([1, 1, 0.3, 0.9, 0.95]),
    minP: pick([0, 0, 0.02, 0.1]),
    repetitionPenalty: pick([1, 1, 1.1, 1.3, 0.8]),
    seed: randomSeed(),
  }
  const index = integer(2048)
  add(`mixed ${i}`, randomLogits(count, pick([0.1, 1, 3, 8])), changed, randomHistory(integer(30), count), index)
}

// Vocabularies as large as real ones, with many ties.
const large: [number, Partial<SamplingParameters>][] = [
  [1_000, { temperature: 0.7 }],
  [32_000, { temperature: 0.7 }],
  [32_000, { temperature: 1, topK: 40 }],
  [32_000, { temperature: 0.9, topP: 0.9, repetitionPenalty: 1.1 }],
  [151_936, { temperature: 1 }],
  [151_936, { temperature: 0 }],
  [151_936, { temperature: 1.2, topK: 50, topP: 0.95, minP: 0.02 }],
  [151_936, { temperature: 0.5, topP: 0.5 }],
  [151_936, { temperature: 2, minP: 0.05 }],
]
for (const [count, changed] of large) {
  const formula = { count, multiplier: 7_919, offset: 13, modulus: 20_011, divisor: 1024 }
  const history = randomHistory(50, count)
  const name = `vocabulary of ${count}: ${JSON.stringify(changed)}`
  add(name, { logits_formula: formula }, { ...changed, seed: randomSeed() }, history, 50)
}

const pi: [Key, Counter] = [
  [0xa4093822, 0x299f31d0],
  [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
]
const words: [Key, Counter][] = [
  [
    [0, 0],
    [0, 0, 0, 0],
  ],
  [
    [0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
  ],
  pi,
  ...list(20, (): [Key, Counter] => {
    const word = () => integer(2 ** 32)
    return [
      [word(), word()],
      [word(), word(), word(), word()],
    ]
  }),
]
const philox = words.map(([key, counter]) => ({ key, counter, output: philox4x32(key, counter) }))

const file = {
  specification: 'packages/protocol/src/sampling.ts',
  made_by: 'packages/reference/scripts/make-sampler-vectors.ts',
  notes: [
    'logits are exact float32 values; logits_formula: logit i = ((i * multiplier + offset) mod modulus - modulus / 2) / divisor',
    `kept lists the first ${LISTED} of the kept_count tokens that are left to draw from, likeliest first; with temperature 0 nothing is drawn and nothing is listed`,
    'philox_words and gumbel belong to the tokens in kept, in that order; gumbel is to be met within 1e-12',
    'the first three of philox are the known answers of Random123 (kat_vectors)',
  ],
  philox,
  cases,
}
// One case a line, so that a difference can be read.
const lines = (values: object[]) => values.map((value) => `    ${JSON.stringify(value)}`).join(',\n')
const header = JSON.stringify({ ...file, philox: undefined, cases: undefined }, null, 2).slice(0, -2)
const json = `${header},\n  "philox": [\n${lines(philox)}\n  ],\n  "cases": [\n${lines(cases)}\n  ]\n}\n`
JSON.parse(json)
const path = fileURLToPath(new URL('../../protocol/test-vectors/sampler.json', import.meta.url))
writeFileSync(path, json)
console.log(`${cases.length} cases in ${path}; left out as too close: ${skipped.length} ${skipped.join('; ')}`)
