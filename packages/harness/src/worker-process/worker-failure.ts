import type { ErrorCode } from '@plumbline/protocol'

export type WorkerFailureKind =
  /** The program could not be started. */
  | 'spawn'
  /** It ended before it was healthy. */
  | 'exited'
  /** It lives and has printed nothing on stdout. */
  | 'no-ready-line'
  /** The first line on stdout is not the ready line. */
  | 'bad-ready-line'
  /** It said `failed`: the model cannot be served. */
  | 'load-failed'
  /** It was not healthy within the deadline. */
  | 'not-healthy'
  /** /health could not be asked. */
  | 'unreachable'
  /** The harness was told to stop. */
  | 'interrupted'

/** The facts of a worker that never got as far as a challenge; `diagnosis` turns them into words. */
export interface WorkerFailureFacts {
  readonly command?: string
  readonly exitCode?: number | null
  readonly signal?: NodeJS.Signals | null
  readonly line?: string
  readonly code?: ErrorCode
  readonly lastHealth?: string
  readonly url?: string
  readonly logTail?: readonly string[]
}

export class WorkerFailure extends Error {
  override readonly name = 'WorkerFailure'
  readonly kind: WorkerFailureKind
  readonly facts: WorkerFailureFacts

  constructor(kind: WorkerFailureKind, message: string, facts: WorkerFailureFacts = {}) {
    super(message)
    this.kind = kind
    this.facts = facts
  }
}
