/**
 * Tells what `token_idx` means in the dialects that have nothing else. In one engine it is the number of past tokens, so all checkpoints
 * of one forward pass share it and it falls when a prompt begins; in the other it is one counter for the whole process, so no two
 * records share it, whatever their checkpoint.
 */
export class IndexMeaning {
  #last = -1
  #ascends = true
  readonly #checkpoints = new Set<string>()

  see(checkpoint: string, index: number): void {
    if (this.#checkpoints.size < 2) this.#checkpoints.add(checkpoint)
    this.#ascends &&= index > this.#last
    this.#last = index
  }

  /** One checkpoint alone is read as positions: nothing shows otherwise. */
  get isCounter(): boolean {
    return this.#ascends && this.#checkpoints.size > 1
  }
}

interface Sequence {
  readonly number: number
  /** By checkpoint: the first position, and the one after the last. */
  readonly spans: Map<string, { first: number; end: number }>
}

export type Assigned = { readonly sequence: number; readonly pos: number } | 'duplicate'

/** Sorts records of one writer into runs: repeated prompts, restarts and interleaved requests come apart by their positions. */
export class ForwardSequences {
  readonly #sequences: Sequence[] = []
  readonly #isCounter: boolean
  #lastRecord: { checkpoint: string; index: number } | undefined

  constructor(isCounter: boolean) {
    this.#isCounter = isCounter
  }

  assign(checkpoint: string, index: number, count: number): Assigned {
    const again = this.#lastRecord?.checkpoint === checkpoint && this.#lastRecord.index === index
    this.#lastRecord = { checkpoint, index }
    if (again) return 'duplicate'
    // A counter tells nothing of positions: they are counted, and all is one run.
    const current = this.#sequences.at(-1) ?? this.#begin()
    const pos = this.#isCounter ? (current.spans.get(checkpoint)?.end ?? 0) : index
    const sequence = this.#isCounter ? current : this.#sequenceFor(checkpoint, pos)
    if (sequence === 'duplicate') return 'duplicate'
    const span = sequence.spans.get(checkpoint)
    if (span === undefined) sequence.spans.set(checkpoint, { first: pos, end: pos + count })
    else span.end = pos + count
    return { sequence: sequence.number, pos }
  }

  #sequenceFor(checkpoint: string, pos: number): Sequence | 'duplicate' {
    const current = this.#sequences.at(-1)!
    const span = current.spans.get(checkpoint)
    if (span === undefined || span.end === pos) return current
    // The newest few that wait for just this position: interleaved requests.
    const waiting = this.#sequences.slice(-MAX_INTERLEAVED).findLast(({ spans }) => spans.get(checkpoint)?.end === pos)
    if (waiting !== undefined) return waiting
    if (pos > span.end) return current
    return pos > span.first ? 'duplicate' : this.#begin()
  }

  #begin(): Sequence {
    const sequence = { number: this.#sequences.length, spans: new Map() }
    this.#sequences.push(sequence)
    return sequence
  }
}

const MAX_INTERLEAVED = 64
