import type { ModelConfig } from './config.ts'

/**
 * The frequency of each pair of dimensions, in radians a position: theta^(-2i/d) (Su et al., "RoFormer", arXiv 2104.09864,
 * section 3.2.2), divided by the linear scaling factor (Chen et al., arXiv 2306.15595) and by the pair's own factor, if any.
 */
export function ropeFrequencies(config: ModelConfig, factors?: Float32Array): Float64Array {
  const { ropeTheta, ropeDimensions, ropeScalingFactor } = config
  return Float64Array.from(
    { length: ropeDimensions / 2 },
    (_, i) => ropeTheta ** ((-2 * i) / ropeDimensions) / ropeScalingFactor / (factors?.[i] ?? 1),
  )
}

/**
 * Rotates each pair of each head by position * frequency. x: [count, headCount * keyLength], its first row at
 * `firstPosition`. Dimensions beyond the rotated ones stay as they are.
 */
export function rope(
  x: Float64Array,
  config: ModelConfig,
  frequencies: Float64Array,
  headCount: number,
  firstPosition: number,
): Float64Array {
  const { keyLength, ropePairing } = config
  const pairs = frequencies.length
  const stride = ropePairing === 'neighbours' ? 2 : 1
  const partner = ropePairing === 'neighbours' ? 1 : pairs
  const y = Float64Array.from(x)
  for (let head = 0; head < x.length / keyLength; head++) {
    const position = firstPosition + Math.floor(head / headCount)
    for (let pair = 0; pair < pairs; pair++) {
      const angle = position * frequencies[pair]!
      const cosine = Math.cos(angle)
      const sine = Math.sin(angle)
      const first = head * keyLength + pair * stride
      const second = first + partner
      y[first] = x[first]! * cosine - x[second]! * sine
      y[second] = x[first]! * sine + x[second]! * cosine
    }
  }
  return y
}
