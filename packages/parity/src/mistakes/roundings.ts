/** A measured parameter and what somebody may have written for it: to 1, 2, ... digits, the roundest first. */
export function roundings(value: number): readonly number[] {
  return [...new Set([1, 2, 3, 4, 5, 7].map((digits) => Number(value.toPrecision(digits))))]
}
