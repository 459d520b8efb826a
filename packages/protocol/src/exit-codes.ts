/** One meaning each, for every command line of Plumbline. */
export const EXIT = {
  ok: 0,
  /** The thing judged failed: diverged, cheated, unhealthy. */
  judgedFailed: 1,
  usage: 2,
  /** Different model, prompt ids or template: a comparison would mean nothing. */
  notComparable: 3,
  /** Truncated, non-finite, implausible or duplicated evidence; a crashed or unknown check; zero checks. */
  untrusted: 4,
  /** Spawn, load, connect, time-out. */
  couldNotRun: 5,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/**
 * The worst of several outcomes: 5 > 4 > 3 > 1 > 0. Nothing judged is nothing shown, so an empty list is `untrusted`.
 * `usage` has no place in the order: a command line that cannot be read never gets as far as an outcome.
 */
export function worstExit(codes: readonly Exclude<ExitCode, 2>[]): ExitCode {
  return codes.length === 0 ? EXIT.untrusted : (Math.max(...codes) as ExitCode)
}
