/** To the 11 bits of F16 (Veltkamp's splitting); below its normal numbers, to its least step. */
export function roundToHalf(value: number): number {
  if (Math.abs(value) < 2 ** -14) return Math.round(value * 2 ** 24) / 2 ** 24
  const product = value * (2 ** 42 + 1)
  return product - (product - value)
}

/** To the 8 bits of BF16. */
export function roundToBrainFloat(value: number): number {
  const product = value * (2 ** 45 + 1)
  return product - (product - value)
}
