/**
 * Philox4x32-10, a counter-based random number generator: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011, section 3.3; the constants are those of Random123's `philox.h`.
 */
export type Key = readonly [number, number]
export type Counter = readonly [number, number, number, number]

const ROUNDS = 10
const MULTIPLIER_0 = 0xd2511f53
const MULTIPLIER_1 = 0xcd9e8d57
/** The golden ratio and sqrt(3) - 1, as 32-bit fractions: the key's Weyl sequence. */
const KEY_STEP_0 = 0x9e3779b9
const KEY_STEP_1 = 0xbb67ae85

/** The upper 32 bits of the product of two 32-bit words, by halves of 16 bits: every sum stays an exact float64 integer. */
function multiplyHigh(a: number, b: number): number {
  const [aHigh, aLow] = [a >>> 16, a & 0xffff]
  const [bHigh, bLow] = [b >>> 16, b & 0xffff]
  const middle = aHigh * bLow + Math.floor((aLow * bLow) / 0x10000)
  const carry = aLow * bHigh + (middle % 0x10000)
  return aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)
}

/** Four random 32-bit words, as a function of a key of two words and a counter of four. */
export function philox4x32(key: Key, counter: Counter): [number, number, number, number] {
  let [key0, key1] = key
  let [c0, c1, c2, c3] = counter
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0)
    const high1 = multiplyHigh(MULTIPLIER_1, c2)
    const low0 = Math.imul(MULTIPLIER_0, c0) >>> 0
    const low1 = Math.imul(MULTIPLIER_1, c2) >>> 0
    c0 = (high1 ^ c1 ^ key0) >>> 0
    c1 = low1
    c2 = (high0 ^ c3 ^ key1) >>> 0
    c3 = low0
    key0 = (key0 + KEY_STEP_0) >>> 0
    key1 = (key1 + KEY_STEP_1) >>> 0
  }
  return [c0, c1, c2, c3]
}
