const TENS = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
])
const MOST_EXACT: u64 = 1 << 53
const FIVES = memory.data<i64>([
  1, 5, 25, 125, 625, 3125, 15625, 78125, 390625, 1953125, 9765625, 48828125, 244140625, 1220703125, 6103515625, 30517578125, 152587890625, 762939453125, 3814697265625, 19073486328125, 95367431640625, 476837158203125, 2384185791015625,
])
/** Of a float64. */
const FRACTION: u64 = (1 << 52) - 1
const HIDDEN: u64 = 1 << 52
/** Of the table: 10^-342 is less than half of the least number, and 10^308 is the largest power. */
const LEAST_POWER = -342
const MOST_POWER = 308

/**
 * The float64 nearest to value * 10^exponent, ties to even. Where value and power are float64 themselves, one operation rounds once
 * (Clinger, "How to read floating point numbers accurately", 1990); else by the 128 bits of a product with 5^exponent (Lemire,
 * "Number parsing at a gigabyte per second", 2021; that 128 bits are always enough: Mushtak and Lemire, "Fast number parsing without
 * fallback", 2023). NaN where the result would be subnormal or infinite. `powers`: src/formats/powers-of-five.ts.
 */
// @ts-expect-error: decorator
@inline
export function fromDecimal(value: u64, exponent: i32, powers: usize): f64 {
  if (value <= MOST_EXACT && <u32>(exponent + 22) <= 44) {
    const number = <f64>(<i64>value)
    return exponent <= 0 ? number / ten(-exponent) : number * ten(exponent)
  }
  return fromProduct(value, exponent, powers)
}

/**
 * The same, where value is likely to be no float64. For powers from 10^-22 to 1 by a quotient that is off by less than one and a half
 * of its last bits, and its exact remainder: value * 2^shift - mantissa * 5^-exponent, which 64 bits hold.
 */
// @ts-expect-error: decorator
@inline
export function fromLongDecimal(value: u64, exponent: i32, powers: usize): f64 {
  if (<u32>(exponent + 22) <= 22 && <i64>value >= 0) {
    const bits = reinterpret<u64>(<f64>(<i64>value) / ten(-exponent))
    const fraction = bits & FRACTION
    const shift = 1075 - <i32>(bits >> 52) + exponent
    // Below a power of two the last bit is another.
    if (fraction != 0 && <u32>shift < 64) {
      const five = load<i64>(FIVES + (<usize>-exponent << 3))
      const remainder = 2 * <i64>((value << <u64>shift) - (fraction | HIDDEN) * <u64>five)
      return reinterpret<f64>(bits + <u64>(remainder > five) - <u64>(remainder < -five))
    }
  }
  return fromProduct(value, exponent, powers)
}

function fromProduct(value: u64, exponent: i32, powers: usize): f64 {
  if (value == 0) return 0
  if (<u32>(exponent - LEAST_POWER) > <u32>(MOST_POWER - LEAST_POWER)) return NaN
  const leading = clz(value)
  const whole = value << leading
  const power = powers + (<usize>(exponent - LEAST_POWER) << 4)
  let high = upperProduct(whole, power)
  // Where the bits below could carry, the lower half of the power counts.
  if ((high & 0x1ff) == 0x1ff) high += carry(whole, power)
  const upper = <i32>(high >> 63)
  const shift = <u64>(upper + 9)
  let mantissa = high >> shift
  // 217706 / 65536 is log2(10).
  let binary = ((217706 * exponent) >> 16) + 63 + upper - <i32>leading + 1023
  if ((high & 0x1ff) == 0 && (mantissa & 3) == 1 && mantissa << shift == high && isTie(whole, power, exponent)) mantissa &= ~1
  mantissa = (mantissa + (mantissa & 1)) >> 1
  if (mantissa >= <u64>1 << 53) {
    mantissa = <u64>1 << 52
    binary++
  }
  if (<u32>(binary - 1) > 2045) return NaN
  return reinterpret<f64>((mantissa & 0xfffffffffffff) | (<u64>binary << 52))
}

/** Of the product of `value` and the 128 bits at `power`: by how much their lower 64 raise the upper 64 of that with their upper 64. */
function carry(value: u64, power: usize): u64 {
  const low = value * load<u64>(power)
  return <u64>(low + upperProduct(value, power + 8) < low)
}

/** Whether a product that ends in zeros ends there: only where the power is so small that the product is exact. */
function isTie(value: u64, power: usize, exponent: i32): bool {
  if (exponent < -4 || exponent > 23) return false
  let low = value * load<u64>(power)
  if ((upperProduct(value, power) & 0x1ff) == 0x1ff) low += upperProduct(value, power + 8)
  return low <= 1
}

/** The upper 64 bits of the product of `value` and the 64 bits at `factor`. */
// @ts-expect-error: decorator
@inline
function upperProduct(value: u64, factor: usize): u64 {
  const aLow = value & 0xffffffff
  const aHigh = value >> 32
  const bLow = <u64>load<u32>(factor)
  const bHigh = <u64>load<u32>(factor, 4)
  const middle = aHigh * bLow + ((aLow * bLow) >> 32)
  const other = aLow * bHigh + (middle & 0xffffffff)
  return aHigh * bHigh + (middle >> 32) + (other >> 32)
}

// @ts-expect-error: decorator
@inline
function ten(exponent: i32): f64 {
  return load<f64>(TENS + (<usize>exponent << 3))
}
