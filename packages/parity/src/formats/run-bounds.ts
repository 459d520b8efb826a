import { invalid, type KnownPlace } from './recording-file.ts'

/** More than any recording has. Each takes memory, however small the file: some kilobytes and some hundred bytes. */
const MAX_RUNS = 4096
/** Of all runs together. */
const MAX_CHECKPOINTS = 65_536

/** Counts the runs and checkpoints of one file, and throws INVALID_RECORDING where there are more than fit into the memory. */
export class RunBounds {
  #runs = 0
  #checkpoints = 0

  addRun(place: KnownPlace): void {
    if (++this.#runs > MAX_RUNS)
      throw invalid(place, `begins run ${this.#runs}; at most ${MAX_RUNS} are read of a file`)
  }

  addCheckpoint(place: KnownPlace): void {
    if (++this.#checkpoints <= MAX_CHECKPOINTS) return
    throw invalid(
      place,
      `names checkpoint ${this.#checkpoints} of the runs; at most ${MAX_CHECKPOINTS} are read of a file`,
    )
  }
}
