import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { seededRandom } from '../../test/helpers/damage.ts'
import { temporaryFolder } from '../../test/helpers/recordings.ts'
import { NumberScanner } from './number-scanner.ts'
import { RecordingFile } from './recording-file.ts'

function scan<Values extends Float32Array | Float64Array>(text: string, into: Values): Values {
  const folder = temporaryFolder()
  const path = join(folder, 'numbers')
  writeFileSync(path, `${text}]`)
  const file = new RecordingFile(path)
  try {
    new NumberScanner(file).read(into)
    return into
  } finally {
    file.close()
  }
}

/** Every float32 that 32 random bits make, written in the ways that programs write one. */
function randomFloats(count: number): Float32Array {
  const random = seededRandom(11)
  const bits = Uint32Array.from({ length: count }, () => random() * 2 ** 32)
  return new Float32Array(bits.buffer).map((value) => (Number.isFinite(value) ? value : 1))
}

it('reads float32 as correct rounding does, in nine digits, in seventeen and in exponents', () => {
  const floats = randomFloats(20_000)
  for (const write of [
    (value: number) => value.toPrecision(9),
    (value: number) => String(value),
    (value: number) => value.toExponential(20),
    (value: number) => value.toFixed(12),
  ]) {
    const texts = Array.from(floats, write)
    expect(scan(texts.join(', '), new Float32Array(floats.length))).toEqual(Float32Array.from(texts, Number))
  }
})

it('reads float64 as JSON.parse does', () => {
  const random = seededRandom(12)
  const doubles = Array.from({ length: 20_000 }, () => (random() - 0.5) * 10 ** Math.floor(random() * 600 - 300))
  const text = JSON.stringify(doubles)
  expect(scan(text.slice(1, -1), new Float64Array(doubles.length))).toEqual(Float64Array.from(doubles))
})

/** Where two float64 meet: digits of the number halfway between a random one and the next, cut after the nineteenth, and both beside. */
function besideHalfway(count: number): string[] {
  const random = seededRandom(13)
  return Array.from({ length: count }, () => {
    const mantissa = BigInt(Math.floor(random() * 2 ** 52)) + (1n << 52n)
    const shift = 1n + BigInt(Math.floor(random() * 70))
    // Halfway is (2 mantissa + 1) / 2^shift, and that times 10^shift is whole.
    const digits = String((2n * mantissa + 1n) * 5n ** shift)
    const kept = Math.min(digits.length, 17 + Math.floor(random() * 3))
    const point = kept - (digits.length - Number(shift))
    return [-1n, 0n, 1n].map((beside) => withPoint(String(BigInt(digits.slice(0, kept)) + beside), point))
  }).flat()
}

/** `digits` with the point before the last `decimals`, or an exponent where there are none to have it before. */
function withPoint(digits: string, decimals: number): string {
  if (decimals < 0) return `${digits}e${-decimals}`
  const padded = digits.padStart(decimals + 1, '0')
  return decimals === 0 ? digits : `${padded.slice(0, -decimals)}.${padded.slice(-decimals)}`
}

it('reads what is nearly halfway between two float64 as JSON.parse does, in seventeen to nineteen digits', () => {
  const texts = besideHalfway(100_000)
  const parsed: number[] = JSON.parse(`[${texts}]`)
  expect(scan(texts.join(), new Float64Array(texts.length))).toEqual(Float64Array.from(parsed))
  expect(scan(texts.join(), new Float32Array(texts.length))).toEqual(Float32Array.from(parsed))
})

it.each([
  [1e7, 0],
  [1, 10],
  [1e-4, 3],
])('reads random decimals of up to twenty digits as JSON.parse does, of the order of %d', (scale, most) => {
  const random = seededRandom(14)
  const texts = Array.from({ length: 300_000 }, () => {
    const whole = Math.floor(random() * scale)
    const digits = String(Math.floor(random() * 1e9)) + String(Math.floor(random() * 1e9)).padStart(9, '0')
    return `${random() < 0.5 ? '-' : ''}${whole}.${'0'.repeat(Math.floor(random() * (most + 1)))}${digits.slice(0, 1 + Math.floor(random() * 18))}`
  })
  expect(scan(texts.join(), new Float64Array(texts.length))).toEqual(Float64Array.from(JSON.parse(`[${texts}]`)))
})

it('keeps the sign of zero, and what is no number', () => {
  const values = scan('-0,0,-0.0e5,"NaN",NaN,"Infinity",-Infinity,"-Infinity",1e999,5e-324', new Float64Array(10))
  expect([...values]).toEqual([-0, 0, -0, Number.NaN, Number.NaN, Infinity, -Infinity, -Infinity, Infinity, 5e-324])
})

it.each(['1,,2', '1,[2]', '1,2.', '1,2e', '1,--2', '1,"x"', '1,null', '1,2 3'])(
  'says where %j is no number',
  (text) => {
    expect(() => scan(text, new Float32Array(3))).toThrow(/byte \d+: a number must stand here/)
  },
)

it('does not read on after the end of the array', () => {
  expect(() => scan('1,2', new Float32Array(3))).toThrow(/byte 3/)
})

const digits = (most: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${most}}$`))
const literal = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value.toExponential(16)),
  fc.double({ noNaN: true, min: -(2 ** -1000), max: 2 ** -1000 }).map((value) => value.toExponential()),
  // Halfway between two float32, and a little beside.
  fc
    .tuple(fc.float({ noNaN: true, min: -1e6, max: 1e6 }), fc.constantFrom(0, 1, -1))
    .map(([value, beside]) => String(value * (1 + 2 ** -24) * (1 + beside * 2 ** -52))),
  // As many digits as 64 bits hold, with every power of ten.
  fc
    .tuple(fc.bigInt({ min: 0n, max: 10n ** 19n - 1n }), fc.integer({ min: -345, max: 310 }))
    .map(([value, exponent]) => `${value}e${exponent}`),
  // Halfway between two float64, to the last digit, and a little beside.
  fc
    .tuple(
      fc.bigInt({ min: 1n << 52n, max: (1n << 53n) - 1n }),
      fc.integer({ min: 0, max: 10 }),
      fc.constantFrom(-1n, 0n, 1n),
    )
    .map(([mantissa, shift, beside]) => String((2n * mantissa + 1n) * (1n << BigInt(shift)) + beside)),
  fc
    .tuple(
      fc.bigInt({ min: 1n << 52n, max: (1n << 53n) - 1n }),
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom(-1n, 0n, 1n),
    )
    .map(([mantissa, halvings, beside]) => `${(2n * mantissa + 1n) * 5n ** BigInt(halvings) + beside}e-${halvings}`),
  fc
    .tuple(
      fc.constantFrom('', '-'),
      digits(25),
      digits(40),
      fc.integer({ min: -360, max: 330 }),
      fc.constantFrom('', 'e', 'E'),
    )
    .map(
      ([sign, whole, fraction, exponent, mark]) =>
        `${sign}${whole.replace(/^0+(?=.)/, '')}.${fraction}${mark && mark + exponent}`,
    ),
)

it('reads whatever number JSON has to the bits of JSON.parse', () => {
  fc.assert(
    fc.property(
      fc.array(literal, { minLength: 1, maxLength: 40 }),
      fc.constantFrom(',', ', ', ' ,\r\n\t'),
      (texts, comma) => {
        const parsed: number[] = JSON.parse(`[${texts.join(',')}]`)
        expect(scan(texts.join(comma), new Float64Array(texts.length))).toEqual(Float64Array.from(parsed))
        expect(scan(texts.join(comma), new Float32Array(texts.length))).toEqual(Float32Array.from(parsed))
      },
    ),
    { numRuns: 1000 },
  )
}, 60_000)
