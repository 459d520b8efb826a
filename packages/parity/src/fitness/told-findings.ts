import type { UnfitFinding } from '../comparison/comparison.ts'
import type { Slab } from '../recording/recording.ts'
import type { Oddity } from './row-oddities.ts'

/** Of one kind and checkpoint, at most that many rows are told one by one. */
const TOLD_EACH = 3
/** Of one kind, at most in that many checkpoints. */
const TOLD_CHECKPOINTS = 4

/** What was found odd, the first of each kind one by one, the rest by their number. */
export class ToldFindings {
  readonly #findings = new Map<string, { findings: UnfitFinding[]; more: number }>()

  tell(name: string, slab: Slab, position: number, { kind, message }: Oddity): void {
    const key = `${kind} ${name}`
    const known = this.#findings.get(key)
    if (known !== undefined && known.findings.length >= TOLD_EACH) {
      known.more++
      return
    }
    const checkpoints = [...this.#findings.keys()].filter((other) => other.startsWith(`${kind} `)).length
    if (known === undefined && checkpoints >= TOLD_CHECKPOINTS) {
      const last = [...this.#findings].findLast(([other]) => other.startsWith(`${kind} `))!
      last[1].more++
      return
    }
    const entry = known ?? { findings: [], more: 0 }
    this.#findings.set(key, entry)
    entry.findings.push({
      kind,
      message,
      checkpoint: name,
      position,
      ...slab.place,
    })
  }

  all(): readonly UnfitFinding[] {
    return [...this.#findings.values()].flatMap(({ findings, more }) =>
      more === 0
        ? findings
        : [
            ...findings.slice(0, -1),
            { ...findings.at(-1)!, message: `${findings.at(-1)!.message} (and ${more} more rows)` },
          ],
    )
  }
}
