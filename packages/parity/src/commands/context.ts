import type { ExitCode } from '@plumbline/protocol'
import type { Progress } from '../progress.ts'

/** What a command is given besides its options. */
export interface CommandContext {
  /** The exit code of a command that ran; one that throws needs none. */
  readonly exitWith: (code: ExitCode) => void
  readonly progress: Progress
}
