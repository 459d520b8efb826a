import type { Op } from '../comparison/comparison.ts'
import { LEAST_NORMAL } from '../metrics/row-metrics.ts'
import type { RecordedDtype, Values } from '../recording/recording.ts'

/** One thing that no honest row has. */
export interface Oddity {
  readonly kind: string
  readonly message: string
}

export interface RowKind {
  readonly op: Op
  readonly layer: number | null
  readonly dtype: RecordedDtype
  /** Whether the values are the row from its first column to its last. */
  readonly whole: boolean
}

/**
 * The largest size that a forward pass can be believed to have. Residual streams of real models reach 1e5 in a few channels; logits
 * stay below 1e3.
 */
export function largestBelievable(op: Op): number {
  return op === 'logits' ? 1e5 : 1e8
}

/** The smallest root mean square of a row that can be believed: even of an untrained model, tokens differ by more than that. */
export function leastBelievable(op: Op): number {
  return op === 'logits' ? 1e-8 : 0
}

/** A row that holds something smaller than every normal number: exact zeros, denormals, pointers. */
export function oddSmallValues(row: Values, kind: RowKind): Oddity[] {
  let zeros = 0
  let denormals = 0
  let longest = 0
  let run = 0
  // The vocabulary is often padded, and the rows of the padding may hold nothing.
  const end = kind.op === 'logits' && kind.whole ? withoutPadding(row) : row.length
  for (let i = 0; i < end; i++) {
    const size = Math.abs(row[i]!)
    if (size === 0) {
      zeros++
      run++
      if (run > longest) longest = run
      continue
    }
    run = 0
    if (size < LEAST_NORMAL) denormals++
  }
  const oddities: Oddity[] = []
  const pointers = row instanceof Float32Array && denormals > 0 ? pointerLike(row) : 0
  if (pointers >= MANY && pointers * 2 >= denormals) {
    oddities.push({
      kind: 'pointer-like',
      message: `${pointers} pairs of words have the bits of addresses (0x00007f… or 0x00005…)`,
    })
  } else if (denormals >= MANY && denormals > 0.1 * end) {
    oddities.push({ kind: 'denormals', message: `${denormals} of ${end} values are denormal` })
  }
  if (zeros === row.length) return oddities
  if (zeros >= 2 * MANY && zeros > believableZeros(kind) * end) {
    oddities.push({ kind: 'exact-zeros', message: `${zeros} of ${end} values are exactly 0` })
  } else if (longest >= PAGE && believableZeros(kind) < 0.5) {
    oddities.push({
      kind: 'exact-zeros',
      message: `${longest} values in a row are exactly 0, as in memory never written`,
    })
  }
  return oddities
}

const MANY = 4
/** Of F32: 4 KiB. */
const PAGE = 1024

/** Quantised embeddings hold zeros, and silu of a large negative number is one. */
function believableZeros({ op, layer }: RowKind): number {
  if (op === 'token_embd' || op === 'ffn_act' || (op === 'attn_norm' && layer === 0)) return 0.9
  return op === 'logits' ? 0.1 : 0.25
}

function withoutPadding(row: Values): number {
  let end = row.length
  while (end > row.length * 0.95 && row[end - 1] === 0) end--
  return end
}

/** How many words at odd places, over a word that is something else, have the upper half of a user-space address. */
function pointerLike(row: Float32Array): number {
  const words = new Uint32Array(row.buffer, row.byteOffset, row.length)
  const count = (first: number) => {
    let found = 0
    for (let i = first; i < words.length; i += 2) {
      const upper = words[i]!
      if (upper >= 0x5500 && upper <= 0x7fff && words[i - 1]! > 0xffff) found++
    }
    return found
  }
  return Math.max(count(1), count(2))
}

/** Every value the same. */
export function isConstant(row: Values): boolean {
  if (row.length < 8 || row[0] !== row[1]) return false
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength)
  // Moved by one value it is itself; only where it holds both 0 and -0 is it looked at one by one.
  const { BYTES_PER_ELEMENT: size } = row
  return bytes.subarray(size).equals(bytes.subarray(0, -size)) || row.every((value) => value === row[0])
}

/** How many words of a row are looked at. */
const WORDS = 256

/**
 * Whether the words of an F32 row look like the bytes of another type. In honest floats the lower half of a word is noise: it has
 * the exponent of a common 16-bit float in a sixth (BF16) or two fifths (F16) of all cases, here in nearly all of them.
 */
export function otherDtype(row: Values, { dtype }: RowKind): Oddity | undefined {
  if (!(row instanceof Float32Array) || dtype !== 'F32' || row.length < 64) return undefined
  const count = Math.min(WORDS, row.length & ~1)
  const words = new Uint32Array(row.buffer, row.byteOffset, count)
  return otherDtypeOf(words, 0, count, 0)
}

/** So many words tell most honest rows. */
const FIRST_WORDS = 16

/** Whether the first words of a row are enough to say that `otherDtype` would find nothing. */
export function surelyFloats(words: Uint32Array, start: number, width: number): boolean {
  return width < 64 || otherDtypeOf(words, start, FIRST_WORDS, 0.2) === undefined
}

/** `slack`: by how much the shares may miss what would convince. */
function otherDtypeOf(words: Uint32Array, start: number, count: number, slack: number): Oddity | undefined {
  let bfloat = 0
  let half = 0
  let oddUsual = 0
  let evenUsual = 0
  for (let i = 0; i < count; i++) {
    const word = words[start + i]!
    const exponent = (word >>> 23) & 0xff
    const lower = word & 0xffff
    const lowerBfloat = (lower >>> 7) & 0xff
    const lowerHalf = (lower >>> 10) & 0x1f
    const upperHalf = (word >>> 26) & 0x1f
    if (exponent >= 100 && exponent <= 140 && lowerBfloat >= 100 && lowerBfloat <= 140) bfloat++
    if (upperHalf >= 7 && upperHalf <= 19 && lowerHalf >= 7 && lowerHalf <= 19) half++
    if (i % 2 === 0 ? exponent >= 97 && exponent <= 157 : exponent >= 120 && exponent <= 133) {
      if (i % 2 === 0) evenUsual++
      else oddUsual++
    }
  }
  if (bfloat >= (0.9 - slack) * count || half >= (0.95 - slack) * count) {
    return {
      kind: 'dtype-like',
      message: 'the halves of its 32-bit words look like 16-bit floats: read as the wrong type',
    }
  }
  if (oddUsual >= (0.475 - slack / 2) * count && evenUsual < (0.25 + slack / 2) * count) {
    return { kind: 'dtype-like', message: 'pairs of its 32-bit words look like F64: read as the wrong type' }
  }
  return undefined
}
