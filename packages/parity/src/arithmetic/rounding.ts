import { roundToBrainFloat, roundToHalf } from './narrow-floats.ts'

/** How kernels round the rows that they multiply a matrix with. */
export interface Rounding {
  readonly name: string
  /** For a verdict line. */
  readonly words: string
  /** 8 for steps as coarse as 8 bits or BF16 make, 16 for F16, 32 for none. */
  readonly bits: 8 | 16 | 32
  /** Values that share a step; 0 where each is rounded by itself. */
  readonly block: number
  /** The row as it is multiplied; `step` of a block from its signed value of the largest magnitude. */
  readonly step?: (extreme: number) => Steps
  /** Sums of blocks are kept besides, in F16: what weights with minima are multiplied with (half-sums.ts). */
  readonly keepsSums?: boolean
  readonly round?: (value: number) => number
}

/** `divide`: what values are divided by to become whole steps; `multiply`: what they are multiplied by again. */
interface Steps {
  readonly divide: number
  readonly multiply: number
}

/** The largest whole step of 8 signed bits. */
const STEPS = 127

const inFloat32 = (extreme: number): Steps => {
  const step = Math.fround(Math.abs(extreme) / STEPS)
  return { divide: step, multiply: step }
}

export const NO_ROUNDING: Rounding = { name: 'none', words: 'unrounded inputs', bits: 32, block: 0 }

/** Blocks along the row, d = max|x| / 127 in float32, round(x / d): what `activations: Q8` of the oracle means. */
export const Q8_BLOCKS: Rounding = {
  name: 'q8',
  words: '8-bit inputs in blocks of 32',
  bits: 8,
  block: 32,
  step: inFloat32,
}

/** What `activations: Q8` of the worker means, for quantised weights. */
const Q8_HALF_BLOCKS: Rounding = { ...Q8_BLOCKS, name: 'q8-16', words: '8-bit inputs in blocks of 16', block: 16 }

const Q8_0: Rounding = {
  name: 'q8_0',
  words: '8-bit inputs in blocks of 32 with steps in F16',
  bits: 8,
  block: 32,
  step: (extreme) => {
    const { divide } = inFloat32(extreme)
    return { divide, multiply: roundToHalf(divide) }
  },
}

/**
 * All roundings that are tried, the likelier first. Of ggml (ggml-quants.c): Q8_0 keeps d in F16 but divides by it unrounded, Q8_1 has sums of
 * blocks, too, Q8_K has blocks of 256 whose value of the largest magnitude becomes -127. F16 and BF16 kernels read rows of their own type.
 */
export const ROUNDINGS: readonly Rounding[] = [
  NO_ROUNDING,
  Q8_BLOCKS,
  Q8_HALF_BLOCKS,
  Q8_0,
  { ...Q8_0, name: 'q8_1', words: `${Q8_0.words} and sums`, keepsSums: true },
  { name: 'q8_k', words: '8-bit inputs in blocks of 256', bits: 8, block: 256, step: inFloat32 },
  { name: 'q8-row', words: '8-bit inputs, one step a row', bits: 8, block: Number.POSITIVE_INFINITY, step: inFloat32 },
  { name: 'f16', words: 'F16 inputs', bits: 16, block: 0, round: roundToHalf },
  { name: 'bf16', words: 'BF16 inputs', bits: 8, block: 0, round: roundToBrainFloat },
]

export function roundingNamed(name: string): Rounding {
  const rounding = ROUNDINGS.find((known) => known.name === name)
  if (rounding === undefined) throw new RangeError(`no rounding is called ${name}`)
  return rounding
}

/** Which rounding an engine has for weights of a type. */
export interface Scheme {
  readonly words: string
  readonly bits: Rounding['bits']
  readonly of: (weights: string) => Rounding
}

const isFloat = (weights: string) => /^B?F\d+$/.test(weights)

/** ggml's types of weights that are a scale and a minimum a block: its kernels multiply the minimum with the sum of the input's block. */
export function hasMinima(weights: string): weights is 'Q4_1' | 'Q5_1' {
  return weights === 'Q4_1' || weights === 'Q5_1'
}

/** ggml: each type of weights has the one that it is multiplied with (ggml-cpu.c `type_traits_cpu`). */
function ofGgml(weights: string): Rounding {
  if (weights === 'F32') return NO_ROUNDING
  if (isFloat(weights)) return roundingNamed(weights.toLowerCase())
  if (hasMinima(weights)) return roundingNamed('q8_1')
  return roundingNamed(/_K$|^IQ|^TQ/.test(weights) && weights !== 'IQ4_NL' ? 'q8_k' : 'q8_0')
}

export const GGML_SCHEME: Scheme = { words: "8-bit inputs as ggml's", bits: 8, of: ofGgml }

/** All matrices alike; only the quantised ones; and as ggml does. */
export const SCHEMES: readonly Scheme[] = [
  ...ROUNDINGS.map((rounding) => ({ words: rounding.words, bits: rounding.bits, of: () => rounding })),
  ...[Q8_BLOCKS, Q8_HALF_BLOCKS].map((rounding) => ({
    words: `${rounding.words} for quantised weights`,
    bits: rounding.bits,
    of: (weights: string) => (isFloat(weights) ? NO_ROUNDING : rounding),
  })),
  GGML_SCHEME,
]

/** Rows of `columns` values as the kernels see them. A row's last block may be shorter. */
export function roundRows(rounding: Rounding, x: Float64Array, columns: number): Float64Array {
  const { round } = rounding
  if (round !== undefined) return x.map((value) => round(Math.fround(value)))
  if (rounding.step === undefined) return x
  const rounded = new Float64Array(x.length)
  for (const { from, to, steps } of blocks(rounding, x, columns)) {
    if (steps.divide === 0) continue
    for (let i = from; i < to; i++) rounded[i] = roundHalfEven(Math.fround(x[i]!) / steps.divide) * steps.multiply
  }
  return rounded
}

/** A value whose division came so near to the middle of two steps that other arithmetic may have rounded it the other way. */
export interface Tie {
  readonly index: number
  /** What is then added to the rounded value. */
  readonly change: number
}

/** In float32, value * (1 / step) is off from value / step by no more than that many steps of 127. */
const NEAR_TIE = 1e-4

/** The ties of one row. */
export function tiesOf(rounding: Rounding, row: Float64Array): Tie[] {
  const ties: Tie[] = []
  for (const { from, to, steps } of blocks(rounding, row, row.length)) {
    for (let i = from; i < to; i++) {
      const share = Math.fround(row[i]!) / steps.divide
      const beyond = share - Math.floor(share)
      if (!(Math.abs(beyond - 0.5) < NEAR_TIE)) continue
      const up = roundHalfEven(share) > share
      ties.push({ index: i, change: up ? -steps.multiply : steps.multiply })
    }
  }
  return ties
}

function* blocks({ block, step }: Rounding, x: Float64Array, columns: number) {
  if (step === undefined) return
  for (let row = 0; row < x.length; row += columns) {
    for (let from = row; from < row + columns; from += block) {
      const to = Math.min(from + block, row + columns)
      let extreme = 0
      for (let i = from; i < to; i++) if (Math.abs(x[i]!) > Math.abs(extreme)) extreme = x[i]!
      yield { from, to, steps: step(Math.fround(extreme)) }
    }
  }
}

function roundHalfEven(value: number): number {
  // Adding and taking away 1.5 * 2^52 leaves no fraction, rounded to even.
  const magic = 6755399441055744
  return value + magic - magic
}
