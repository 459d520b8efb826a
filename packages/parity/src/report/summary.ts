import type { ComparedCheckpoint } from '../comparison/comparison.ts'

/** The row of a checkpoint with the largest NMSE; NaN is larger than all. */
export function worstRow({ metrics: { nmse } }: ComparedCheckpoint): number {
  let worst = 0
  for (let row = 1; row < nmse.length; row++) {
    if (nmse[row]! > nmse[worst]! || Number.isNaN(nmse[row])) worst = row
    if (Number.isNaN(nmse[worst])) break
  }
  return worst
}

/** A number of few digits, as people and spreadsheets read it. */
export function shortNumber(value: number | undefined, digits = 3): string {
  if (value === undefined) return ''
  return Number.isFinite(value) ? Number(value.toPrecision(digits)).toString() : String(value)
}
