import type { Op } from '../comparison/comparison.ts'
import type { OpSite } from '../graph/op-site.ts'

/** One way to get an op wrong. */
export interface Mistake {
  readonly name: string
  /** What the engine does instead, for a verdict line: the rest of a sentence that begins with the op. */
  readonly description: string
  /** The checkpoints that it can make wrong; the first is where the oracle plants it unless told where. */
  readonly ops: readonly Op[]
  /** What `description` leaves open, e.g. which base: all that are tried, the oracle plants the first. */
  readonly parameters?: (site: OpSite) => readonly number[]
  /**
   * Parameters that what was recorded speaks for, tried besides: `site` is of one row, `recorded` is that row. Of such a mistake the
   * oracle plants any parameter.
   */
  readonly estimate?: (site: OpSite, recorded: Float64Array) => readonly number[]
  /**
   * Whether the parameter is one number of the whole engine, the same at all positions: fitted to a single row it proves nothing, since
   * something of the row always fits.
   */
  readonly isSetting?: true
  /** Where a parameter says more than its number. */
  readonly showParameter?: (parameter: number, site: OpSite) => string
  /**
   * What the op then gives at the site, [count, width]; undefined where the model or the place has nothing of the kind to get
   * wrong. Throws NotAtHand where values are missing.
   */
  readonly compute: (site: OpSite, parameter: number) => Float64Array | undefined
}

/** What the oracle plants. */
export function plantedParameter(mistake: Mistake, site: OpSite): number {
  return mistake.parameters?.(site)[0] ?? 0
}
