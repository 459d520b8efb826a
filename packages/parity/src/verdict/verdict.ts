import { EXIT, type ExitCode, worstExit } from '@plumbline/protocol'
import type {
  Alignment,
  ComparedCheckpoint,
  Divergence,
  GreedyFinding,
  Outcome,
  ProfileName,
  Side,
  Verdict,
} from '../comparison/comparison.ts'
import type { FaultKind } from '../recording/recording.ts'
import { OP_WORDS } from './op-names.ts'

export interface VerdictInput {
  readonly candidate: Side
  readonly reference: Side
  readonly alignment: Alignment
  readonly checkpoints: readonly ComparedCheckpoint[]
  readonly profile: ProfileName
  readonly coverage: number
  readonly divergence: Divergence | undefined
  readonly greedy: GreedyFinding | undefined
  /** What else than the values themselves equality rests on, or why on no more than noise; undefined where the values are enough. */
  readonly evidence: Evidence | undefined
  /** How the candidate's ops show that it rounds, which it does not state. */
  readonly unstated: string | undefined
  /** Why what was compared is too little to call the sides equal. */
  readonly tooLittle: string | undefined
  /** Runs of the reference that were compared with nothing: a candidate may lack whole prompts. */
  readonly unmatched: readonly string[]
  readonly strictIdentity: boolean
  /** Whether equality of a part is all that was asked for. */
  readonly allowPartial: boolean
  /** Whether it may rest on noise in which mistakes would be lost. */
  readonly allowWeaker: boolean
  readonly decode?: (id: number) => string
}

export interface Evidence {
  readonly words: string
  /** Not every op was shown to give what its own inputs should: mistakes may be lost in the noise. */
  readonly isWeak: boolean
  /** What would make it stronger. */
  readonly advice?: string | undefined
}

/** One line, one exit code: the worst of all that was found wins. */
export function decideVerdict(input: VerdictInput): Verdict {
  const found = [
    untrusted(input),
    wrongAlike(input),
    nothingCompared(input),
    refused(input),
    unverified(input),
    diverged(input),
    partedGreedily(input),
  ].filter((verdict) => verdict !== undefined)
  // However little was compared: a difference that was found is one.
  if (found.length === 0) return partial(input) ?? equal(input)
  const worst = worstExit(found.map(({ exitCode }) => exitCode as Exclude<ExitCode, 2>))
  return found.find(({ exitCode }) => exitCode === worst)!
}

function untrusted({ candidate, reference }: VerdictInput): Verdict | undefined {
  const sides = [
    { name: 'CANDIDATE', side: candidate, reasons: reasonsOf(candidate) },
    { name: 'REFERENCE', side: reference, reasons: reasonsOf(reference) },
  ].filter(({ reasons }) => reasons.length > 0)
  if (sides.length === 0) return undefined
  const who = sides.map(({ name }) => name).join(' AND ')
  const why = sides.map(({ reasons }) =>
    reasons.length > 2 ? `${reasons.slice(0, 2).join('; ')}; and more` : reasons.join('; '),
  )
  return verdict('untrusted', EXIT.untrusted, `UNTRUSTED ${who}: ${why.join(' · ')}`)
}

function reasonsOf({ faults, unfit }: Side): string[] {
  // One of each kind first: two kinds say more than the same thing twice.
  const seen = new Set<string>()
  const firsts = unfit.filter(({ kind }) => !seen.has(kind) && seen.add(kind))
  return [
    ...faultsByKind(faults),
    ...firsts.map(({ checkpoint, position, message }) => `${checkpoint} at position ${position}: ${message}`),
  ]
}

const FAULT_WORDS: Readonly<Record<FaultKind, string>> = {
  truncated: 'the recording is truncated',
  checksum: 'a checksum does not match',
  malformed: 'the recording is damaged',
  'wrong-count': 'counts do not match',
  duplicate: 'something was recorded twice',
  'non-finite': 'there are non-finite values',
  statistics: 'values and their statistics do not match',
  'not-asked-for': 'the trace that the worker left is not what was asked for',
}

function faultsByKind(faults: Side['faults']): string[] {
  const kinds = new Map<FaultKind, string[]>()
  for (const { kind, message } of faults) kinds.set(kind, [...(kinds.get(kind) ?? []), message])
  return [...kinds].map(([kind, [first, ...others]]) => {
    const more = others.length === 0 ? '' : `, and ${others.length} more like it`
    return `${FAULT_WORDS[kind]} (${first}${more})`
  })
}

function nothingCompared({ alignment, checkpoints }: VerdictInput): Verdict | undefined {
  const nothing = alignment.refusals.find(({ kind }) => kind === 'nothing-in-common')
  if (nothing !== undefined) return verdict('not-comparable', EXIT.untrusted, `NOTHING COMPARED: ${nothing.message}`)
  const values = checkpoints.reduce((sum, { compared, positions }) => sum + compared * positions.length, 0)
  if (alignment.refusals.length > 0 || values > 0) return undefined
  return verdict('not-comparable', EXIT.untrusted, 'NOTHING COMPARED: no value is in both')
}

function refused({ alignment }: VerdictInput): Verdict | undefined {
  const [first, ...others] = alignment.refusals
  if (first === undefined) return undefined
  const more = others.length === 0 ? '' : ` (and ${others.map(({ message }) => message).join('; ')})`
  const what = first.kind === 'no-token-ids' ? 'NOT SHOWN TO BE COMPARABLE' : 'NOT COMPARABLE'
  return verdict('not-comparable', EXIT.notComparable, `${what}: ${first.message}${more}`)
}

function unverified({ alignment, strictIdentity }: VerdictInput): Verdict | undefined {
  if (!strictIdentity || alignment.unverified.length === 0) return undefined
  const line = `NOT SHOWN TO BE COMPARABLE: unverified ${alignment.unverified.join('; ')}`
  return verdict('not-comparable', EXIT.notComparable, line)
}

/** Two sides that are equal, and that the model file contradicts. */
function wrongAlike(input: VerdictInput): Verdict | undefined {
  const { divergence } = input
  if (divergence?.local === undefined || divergence.side !== 'both') return undefined
  const { local, cause } = divergence
  const line = `UNTRUSTED CANDIDATE AND REFERENCE: both part from the model file alike, first at ${placeOf(divergence, input)}: ${offLocally(local, 'their')}${causeOf(cause)}`
  return verdict('untrusted', EXIT.untrusted, line)
}

function placeOf({ checkpoint, layer, op, position, phase }: Divergence, { alignment, decode }: VerdictInput): string {
  const place = layer === null ? OP_WORDS[op] : `layer ${layer}, ${OP_WORDS[op]}`
  const id = alignment.promptTokenIds[position]
  const token = id === undefined || decode === undefined ? '' : ` ${JSON.stringify(decode(id))}`
  return `${checkpoint} (${place}), token ${position}${token}${phase === undefined ? '' : ` in ${phase}`}`
}

const offLocally = ({ nmse, tolerance }: NonNullable<Divergence['local']>, whose = 'its') =>
  `${percentOff(Math.sqrt(nmse))} from what ${whose} own inputs give (NMSE ${number(nmse)}, a right op at most ${number(tolerance)})`

const causeOf = (cause: Divergence['cause']) =>
  cause === undefined
    ? '; no known mistake gives this'
    : `; ${cause.confidence === 'certain' ? '' : `${cause.confidence} `}cause: ${cause.message}`

function diverged(input: VerdictInput): Verdict | undefined {
  const { divergence, profile, unstated } = input
  if (divergence === undefined || divergence.side === 'both') return undefined
  const { op, metrics, origin, side, cause, local } = divergence
  const error =
    local === undefined
      ? `${percentOff(metrics.relative_l2)} (NMSE ${number(metrics.nmse)}, ${profile} allows ${number(divergence.tolerance)})`
      : offLocally(local)
  const turned =
    local === undefined && op === 'logits' && metrics.nmse <= divergence.tolerance
      ? ', and another token is first, which this noise cannot do'
      : ''
  const from = {
    local: `; local: the op itself is wrong${side === 'reference' ? ' IN THE REFERENCE' : ''}`,
    inherited: '; inherited: the op is right, what it was given is not',
    unknown: '',
  }[origin]
  const why = cause === undefined && origin !== 'local' ? '' : causeOf(cause)
  const line = `DIVERGED first at ${placeOf(divergence, input)}: ${error}${turned}${from}${why}${unstated === undefined ? '' : `; the candidate has ${unstated}, which it does not state`}`
  return verdict('diverged', EXIT.judgedFailed, line)
}

function percentOff(relative: number): string {
  if (!Number.isFinite(relative)) return 'off by more than can be told'
  const percent = relative * 100
  return percent >= 0.01
    ? `off by ${percent >= 10 ? percent.toFixed(0) : percent.toPrecision(2)} %`
    : `off by ${number(relative)} of its size`
}

function partedGreedily({ greedy }: VerdictInput): Verdict | undefined {
  if (greedy === undefined || greedy.kind === 'same' || greedy.kind === 'tie') return undefined
  return verdict('diverged', EXIT.judgedFailed, `DIVERGED in the greedy continuation: ${greedy.message}`)
}

function partial(input: VerdictInput): Verdict | undefined {
  const { tooLittle, allowPartial, coverage, unmatched, checkpoints, evidence, allowWeaker } = input
  if (tooLittle === undefined && unmatched.length === 0) return undefined
  const where = unmatched.length === 0 ? '' : ' in the runs compared'
  const share = `${number(coverage * 100)} % of what either side computed${where}`
  const reasons = [tooLittle, leftOut(unmatched)].filter((reason) => reason !== undefined)
  const weaker = evidence?.isWeak && !isSameBits(checkpoints) ? evidence : undefined
  const isAllowed = allowPartial && (weaker === undefined || allowWeaker)
  const how = weaker === undefined ? '' : `, within noise alone (${weaker.words})`
  const line = `NO DIFFERENCE FOUND, BUT EQUALITY NOT SHOWN: ${reasons.join('; ')}; compared was ${share}${how}`
  return verdict('partial', isAllowed ? EXIT.ok : EXIT.notComparable, line)
}

function isSameBits(checkpoints: readonly ComparedCheckpoint[]): boolean {
  return checkpoints.every(({ metrics }) =>
    metrics.max_ulp.every((ulp, row) => ulp === 0 && metrics.max_abs[row] === 0),
  )
}

function equal(input: VerdictInput): Verdict {
  const { checkpoints, profile, coverage, greedy, evidence } = input
  const values = checkpoints.reduce((sum, { compared, positions }) => sum + compared * positions.length, 0)
  const positions = new Set(checkpoints.flatMap(({ positions }) => Array.from(positions))).size
  const what = `${values.toLocaleString('en-US')} values of ${count(checkpoints.length, 'checkpoint')} at ${count(positions, 'position')}`
  const tail = greedy === undefined ? '' : `; ${greedy.message}`
  const part = coverage < 0.9995 ? ` (${number(coverage * 100)} % of what either side computed)` : ''
  if (isSameBits(checkpoints)) return verdict('same', EXIT.ok, `SAME: all ${what} are equal, bit for bit${part}${tail}`)
  const worst = worstRow(checkpoints)
  const found = `${what}; the most is NMSE ${number(worst.nmse)} at ${worst.name}, token ${worst.position}, ${allowance(worst)}${part}`
  if (evidence?.isWeak) return notShown(input, evidence, found, tail)
  const rests = evidence === undefined ? '' : `; ${evidence.words}`
  return verdict('within-tolerance', EXIT.ok, `SAME WITHIN ${profile} NOISE: ${found}${rests}${tail}`)
}

/** Nothing is beyond noise, but so coarse is the noise that a mistake may be. */
function notShown(
  { checkpoints, profile, allowWeaker }: VerdictInput,
  { words, advice }: Evidence,
  found: string,
  tail: string,
): Verdict {
  const { nmse, name } = blindBelow(checkpoints)
  const blind = `a mistake of less than ${number(100 * Math.sqrt(nmse))} % of ${name} (NMSE ${number(nmse)}) would look the same`
  const runs = profile === 'float16' ? 'F16 runs' : '8-bit runs'
  const remedy = `${advice === undefined ? '' : `${advice}, or `}accept it with --allow-weaker`
  const line = allowWeaker
    ? `SAME WITHIN ${profile} NOISE: ${found}; weaker: ${words}; ${blind}${tail}`
    : `NOT SHOWN TO BE THE SAME: within what honest ${runs} differ, but ${blind}; ${remedy}: ${words}; compared were ${found}${tail}`
  return { ...verdict('not-shown', allowWeaker ? EXIT.ok : EXIT.notComparable, line), blindBelow: nmse }
}

/** The widest bound that any row was held to: by what its own inputs give, where that could be told, else by the ladder. */
function blindBelow(checkpoints: readonly ComparedCheckpoint[]): { nmse: number; name: string } {
  let most = { nmse: 0, name: '' }
  for (const { name, local, tolerance } of checkpoints) {
    const bounds = local === undefined ? [tolerance] : local.tolerances
    for (const bound of bounds) {
      const nmse = Number.isNaN(bound) ? tolerance : bound
      if (nmse > most.nmse) most = { nmse, name }
    }
  }
  return most
}

function allowance({ nmse, tolerance }: { nmse: number; tolerance: number }): string {
  return `${number((100 * nmse) / tolerance)} % of what is allowed`
}

/** The row that comes closest to its tolerance. */
function worstRow(checkpoints: readonly ComparedCheckpoint[]) {
  let worst = { name: '', position: 0, nmse: 0, tolerance: 1 }
  for (const { name, positions, metrics, tolerance } of checkpoints) {
    for (const [row, nmse] of metrics.nmse.entries()) {
      if (nmse / tolerance > worst.nmse / worst.tolerance) worst = { name, position: positions[row]!, nmse, tolerance }
    }
  }
  return worst
}

function leftOut([first, second, ...others]: VerdictInput['unmatched']): string | undefined {
  if (first === undefined) return undefined
  const more = others.length === 0 ? `${first} and ${second}` : `${first}, ${second} and ${others.length} more`
  return `the reference's ${second === undefined ? `run ${first} was` : `runs ${more} were`} compared with nothing`
}

const verdict = (outcome: Outcome, exitCode: ExitCode, line: string): Verdict => ({ outcome, exitCode, line })
const number = (value: number) => (Number.isFinite(value) ? Number(value.toPrecision(2)).toString() : String(value))
const count = (n: number, what: string) => `${n.toLocaleString('en-US')} ${what}${n === 1 ? '' : 's'}`
