/** IEEE 754 binary16 and bfloat16, given as 16 bits, widened to float32: exact. */

const bits = new Uint32Array(1)
const float = new Float32Array(bits.buffer)

export function bfloat16ToFloat32(half: number): number {
  bits[0] = half << 16
  return float[0]!
}

/** 1 sign bit, 5 of exponent (bias 15), 10 of fraction. */
function decodeHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

const ALL_HALVES = Float32Array.from({ length: 65_536 }, (_, half) => decodeHalf(half))

export function float16ToFloat32(half: number): number {
  return ALL_HALVES[half]!
}
