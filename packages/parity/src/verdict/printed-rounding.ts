import type { RecordedRun } from '../recording/recording.ts'

/** Fewer decimals than engines print would excuse anything. */
const FEWEST_DECIMALS = 3
/** Rows of small numbers are off by more than the usual row: how many times the variance they may be. */
const MARGIN = 2

/**
 * Mean square by which the values of a run may be off for having been printed: the variance of rounding to the last decimal, step^2 / 12,
 * with a margin. 0 for a run that does not say that it was printed, or whose values say otherwise.
 */
export function printedRounding(run: RecordedRun): number {
  const decimals = run.printedDecimals
  if (decimals === undefined || disbelievedDecimals(run) !== undefined) return 0
  return (MARGIN * 10 ** (-2 * decimals)) / 12
}

/** Why the decimals that a run states are given no room; undefined where they are, or none are stated. */
export function disbelievedDecimals(run: RecordedRun): string | undefined {
  const decimals = run.printedDecimals
  if (decimals === undefined) return undefined
  const told = `statement that values were printed with ${decimals} decimals`
  if (decimals < FEWEST_DECIMALS) return `${told}: so few would excuse anything`
  return isPrinted(run, decimals) ? undefined : `${told}: there are values that were not`
}

/** Rows that are read at once. */
const ROWS = 64

/** Whether every value is a multiple of the last decimal, as near as its type can hold one. */
function isPrinted({ checkpoints }: RecordedRun, decimals: number): boolean {
  const steps = 10 ** decimals
  for (const checkpoint of checkpoints.values()) {
    for (let index = 0; index < checkpoint.slabCount; index++) {
      const slab = checkpoint.slab(index)
      for (let row = 0; row < slab.count; row += ROWS) {
        for (const value of slab.read(row, Math.min(ROWS, slab.count - row))) {
          const printed = Math.round(value * steps) / steps
          if (value !== printed && value !== Math.fround(printed)) return false
        }
      }
    }
  }
  return true
}
