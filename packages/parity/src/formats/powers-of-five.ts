/** Exponents of the first and the last entry. */
const [LEAST, MOST] = [-342, 308]
const WIDTH = 128n
/** From here on a power of five fits into 64 bits, and exact quotients must be seen to be exact. */
const LEAST_ROUNDED_UP = -27

/** Of the table, made up to whole cache lines. */
export const POWERS_BYTES = Math.ceil(((MOST - LEAST + 1) * 16) / 64) * 64

/**
 * The leading 128 bits of 5^LEAST to 5^MOST, as assembly/decimal.ts needs them: of each the upper 64, then the lower. All are cut
 * off but 5^-27 to 5^-1, which are rounded up (Lemire, "Number parsing at a gigabyte per second", 2021, appendix B).
 */
export function powersOfFive(): BigUint64Array {
  made ??= makeTable()
  return made
}

let made: BigUint64Array | undefined

function makeTable(): BigUint64Array {
  const table = new BigUint64Array(2 * (MOST - LEAST + 1))
  for (let exponent = LEAST, at = 0; exponent <= MOST; exponent++, at += 2) {
    const power = 5n ** BigInt(Math.abs(exponent))
    const whole = exponent < 0 ? (1n << (2n * bitsOf(power) + WIDTH)) / power : power
    const bits = leading(whole) + (exponent < 0 && exponent >= LEAST_ROUNDED_UP ? 1n : 0n)
    table[at] = bits >> 64n
    table[at + 1] = bits & 0xffff_ffff_ffff_ffffn
  }
  return table
}

function leading(number: bigint): bigint {
  const more = bitsOf(number) - WIDTH
  return more > 0n ? number >> more : number << -more
}

const bitsOf = (number: bigint) => BigInt(number.toString(2).length)
