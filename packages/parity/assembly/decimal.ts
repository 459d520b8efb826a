const TENS = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
])
const MOST_EXACT: u64 = 1 << 53
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

function fromProduct(value: u64, exponent: i32, powers: usize): f64 {
  if (value == 0) return 0
  if (exponent < LEAST_POWER || exponent > MOST_POWER) return NaN
  const leading = clz(value)
  const whole = value << leading
  const power = powers + (<usize>(exponent - LEAST_POWER) << 4)
  multiply(whole, load<u64>(power))
  let high = productHigh
  let low = productLow
  if ((high & 0x1ff) == 0x1ff) {
    multiply(whole, load<u64>(power, 8))
    low += productHigh
    if (low < productHigh) high++
  }
  const upper = <i32>(high >> 63)
  const shift = <u64>(upper + 9)
  let mantissa = high >> shift
  // 217706 / 65536 is log2(10).
  let binary = ((217706 * exponent) >> 16) + 63 + upper - <i32>leading + 1023
  // A tie: only where the power is so small that the product is exact.
  if (low <= 1 && exponent >= -4 && exponent <= 23 && (mantissa & 3) == 1 && mantissa << shift == high) mantissa &= ~1
  mantissa = (mantissa + (mantissa & 1)) >> 1
  if (mantissa >= <u64>1 << 53) {
    mantissa = <u64>1 << 52
    binary++
  }
  if (binary <= 0 || binary >= 2047) return NaN
  return reinterpret<f64>((mantissa & 0xfffffffffffff) | (<u64>binary << 52))
}

let productHigh: u64 = 0
let productLow: u64 = 0

// @ts-expect-error: decorator
@inline
function multiply(a: u64, b: u64): void {
  const aLow = a & 0xffffffff
  const aHigh = a >> 32
  const bLow = b & 0xffffffff
  const bHigh = b >> 32
  const lowest = aLow * bLow
  const middle = aHigh * bLow + (lowest >> 32)
  const other = aLow * bHigh + (middle & 0xffffffff)
  productLow = a * b
  productHigh = aHigh * bHigh + (middle >> 32) + (other >> 32)
}

// @ts-expect-error: decorator
@inline
function ten(exponent: i32): f64 {
  return load<f64>(TENS + (<usize>exponent << 3))
}
