import type { Refusal } from '../comparison/comparison.ts'
import type { RecordedRun, RunIdentity } from '../recording/recording.ts'

/** The text of one token, for people. */
export type DecodeToken = (id: number) => string

/** All ids that went into a run or came out of it, as far as they are stated. */
export function inputTokenIds(run: RecordedRun): readonly number[] | undefined {
  const { promptTokenIds } = run.identity
  return promptTokenIds === undefined ? undefined : [...promptTokenIds, ...(continuation(run) ?? [])]
}

/** What was generated after the prompt, where it is stated. */
export function continuation(run: RecordedRun): readonly number[] | undefined {
  return run.identity.generatedTokenIds ?? run.greedy?.tokenIds
}

export function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const shorter = Math.min(a.length, b.length)
  let length = 0
  while (length < shorter && a[length] === b[length]) length++
  return length
}

/** Whether the prompts are stated and the same; undefined where they are. */
export function refusePrompts(
  candidate: RunIdentity,
  reference: RunIdentity,
  decode: DecodeToken | undefined,
): Refusal | undefined {
  const ours = candidate.promptTokenIds
  const theirs = reference.promptTokenIds
  if (ours === undefined || theirs === undefined) {
    const who =
      ours === undefined && theirs === undefined
        ? 'neither side states'
        : ours
          ? 'the reference does not state'
          : 'the candidate does not state'
    return { kind: 'no-token-ids', message: `${who} the token ids of its prompt` }
  }
  const at = commonPrefix(ours, theirs)
  if (at === ours.length && at === theirs.length) return undefined
  const token = (id: number | undefined) => tokenText(id, decode)
  const message =
    at < Math.min(ours.length, theirs.length)
      ? `the prompts differ from position ${at} on: token ${token(ours[at])} against ${token(theirs[at])}`
      : `the prompts have ${ours.length} and ${theirs.length} tokens; the first ${at} are the same`
  return { kind: 'prompt-token-ids', message, details: sideBySide(ours, theirs, decode) }
}

/** How many positions before and after the first difference are shown. */
const BEFORE = 3
const AFTER = 8

/** Two id sequences, a line a position around the first difference, which is marked. */
export function sideBySide(ours: readonly number[], theirs: readonly number[], decode?: DecodeToken): string[] {
  const at = commonPrefix(ours, theirs)
  const from = Math.max(0, at - BEFORE)
  const to = Math.min(Math.max(ours.length, theirs.length), at + AFTER)
  const cell = (id: number | undefined) => tokenText(id, decode)
  const rows = Array.from({ length: to - from }, (_, row) => {
    const position = from + row
    return [`${position}`, cell(ours[position]), cell(theirs[position]), position === at ? '<- first difference' : '']
  })
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length), HEAD[column]!.length))
  const line = (row: readonly string[]) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  const rest = Math.max(ours.length, theirs.length) - to
  return [
    line(HEAD),
    ...(from > 0 ? [`(the first ${from} are the same)`] : []),
    ...rows.map(line),
    ...(rest > 0 ? [`(and ${rest} more)`] : []),
  ]
}

function tokenText(id: number | undefined, decode: DecodeToken | undefined): string {
  if (id === undefined) return '(none)'
  return decode === undefined ? `${id}` : `${id} ${JSON.stringify(decode(id))}`
}

const HEAD = ['position', 'candidate', 'reference', '']
