import type { ReferenceModel } from '@plumbline/reference'
import type { Arithmetic } from '../arithmetic/arithmetic.ts'
import type { Cause } from '../comparison/comparison.ts'
import type { GraphNode } from '../graph/graph.ts'
import { ifAtHand, type OpSite } from '../graph/op-site.ts'
import { RecordedValues, ValuesWithMistake } from '../graph/recorded-values.ts'
import { MISTAKES } from '../mistakes/catalogue.ts'
import type { Mistake } from '../mistakes/mistake.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { type Piece, piecesAround, rowsOf, siteOf, squaredDistance, sum, UNTOUCHED } from './pieces.ts'
import { findScaledRows } from './scaled-rows.ts'

export interface CauseQuestion {
  /** The run whose op is at fault, and the one that is right. */
  readonly wrong: RecordedRun
  readonly right: RecordedRun
  readonly node: GraphNode
  /** The first that diverged. */
  readonly position: number
  readonly model: ReferenceModel
  /** Which recorded checkpoints to believe. */
  readonly isVisible: (name: string) => boolean
  readonly others: readonly RecordedRun[]
  /** Of the wrong run. */
  readonly arithmetic: Arithmetic | undefined
}

/** The share of the difference, and of the wrong output's own size, that a mistake may leave unexplained. */
const POSSIBLE = 0.25
const LIKELY = 0.05
const CERTAIN = 1e-3
/** Residuals within this factor of the best tell no mistakes apart, nor do those that are no more than float32's own noise. */
const INDISTINGUISHABLE = 4
const FLOAT32_NOISE = 1e-11
/** What storage as float32 may change: where rows differ by less there is nothing to explain, and what changes nothing would explain it. */
const STORED = 1e-14
/** Rows that differ by less than this share of the one that differs most are not asked whether a setting explains them: noise may not be. */
const SLIGHT = 0.1
/** By how much the differences of two rows, each as a share of its row, must differ for one setting to show in both. */
const UNLIKE = 1.01

/** A mistake tried at an op: the divergent one, or one that lies before it and was not recorded. */
interface Hypothesis {
  readonly mistake: Mistake
  readonly parameter: number
  readonly node: GraphNode
  /** What is made wrongly there. */
  readonly site: OpSite
  /** The only positions at which it is made, where it is not made at all of them. */
  readonly only?: ReadonlySet<number>
}

interface Trial extends Hypothesis {
  /** What is left between what the engine recorded and what the mistake gives: squares, as a share of the right output's. */
  readonly residual: number
  /** The residual as a share of what there was to explain, or of what the engine recorded, whichever is more. */
  readonly unexplained: number
  /** The same share over the rows before, where the engine was right. */
  readonly contradiction: number
  /** Whether at least two rows are explained that differ by unlike shares: one free parameter alone would fit rows that are alike. */
  readonly isShownTwice: boolean
}

/** Tries every mistake that the op can suffer on the right side's inputs, and tells which one gives what the wrong side recorded. */
export function findCause(question: CauseQuestion): Cause | undefined {
  const { wrong, right, node, position, model, isVisible, others, arithmetic } = question
  const pieces = piecesAround(wrong, node, position, promptLengthOf(question))
  const otherValues = others.map((run) => new RecordedValues(run, model))
  const tryOn = (run: RecordedRun) =>
    ifAtHand(() => {
      const values = new RecordedValues(run, model, isVisible, { others: otherValues, arithmetic })
      return tryMistakes(values, node, position, pieces)
    }) ?? []
  const trials = tryOn(right)
  // Where the inputs differ by noise, the wrong side's own leave less of it to explain.
  const cause = judge(trials.some(({ unexplained }) => unexplained <= CERTAIN) ? trials : [...trials, ...tryOn(wrong)])
  if (cause !== undefined && cause.confidence !== 'possible') return cause
  const source = new RecordedValues(wrong, model, isVisible, { arithmetic })
  const scaled = ifAtHand(() => findScaledRows(source, node, pieces))
  if (scaled === undefined) return cause
  return { ...scaled, alternatives: cause === undefined ? [] : [cause.mistake, ...cause.alternatives] }
}

/** All mistakes that explain most of the difference between what was recorded and what the op gives on these inputs. */
function tryMistakes(
  source: RecordedValues,
  node: GraphNode,
  position: number,
  pieces: readonly Piece[],
): readonly Trial[] {
  const before = pieces.filter(({ first }) => first < position)
  const after = pieces.filter(({ first }) => first >= position)
  if (after.length === 0) return []
  const rightly = (piece: Piece) => siteOf(piece, node, source).right()
  const squares = (of: readonly Piece[], rows: (piece: Piece) => Float64Array) =>
    sum(of.map((piece) => sum(rows(piece).map((x) => x * x))))
  const size = squares(after, rightly) || 1
  const recorded = finiteOr(squares(after, (piece) => piece.recorded) / size)
  const misfit = (of: readonly Piece[], compute: (piece: Piece) => Float64Array | undefined) =>
    sum(of.map((piece) => squaredDistance(piece.recorded, compute(piece)))) / size
  const difference = misfit(after, rightly)
  if (difference <= STORED) return []
  // Most mistakes are ruled out by the row that differs most, for a fraction of the work.
  const rows = after.flatMap(rowsOf).map((row) => ({ row, difference: misfit([row], rightly) }))
  const worst = rows.reduce((most, next) => (next.difference > most.difference ? next : most))

  const untouched = rows.filter((row) => row.difference <= UNTOUCHED * worst.difference)
  const tried = (hypothesis: Hypothesis): Trial[] => {
    const give = (piece: Piece) => ifAtHand(() => wronglyWhereMade(hypothesis, siteOf(piece, node, source), position))
    if (!(misfit([worst.row], give) <= POSSIBLE * worst.difference)) return []
    const residual = misfit(after, give)
    // Zeros are all but the difference between an output and a thousandth of it, yet nothing of the thousandth.
    const unexplained = residual === 0 ? 0 : residual / Math.min(difference, recorded)
    if (!(unexplained <= POSSIBLE)) return []
    const explained = rows.map(({ row, difference }) => ({ row, difference, left: misfit([row], give) }))
    const isLeft = explained.some(
      ({ difference, left }) => left > LIKELY * Math.max(difference, SLIGHT * worst.difference),
    )
    if (hypothesis.mistake.isSetting && isLeft) return []
    // A mistake that has nothing to say of earlier rows does not contradict them.
    const contradiction = misfit(before, (piece) => give(piece) ?? piece.recorded) / difference
    return [
      {
        ...hypothesis,
        residual,
        unexplained,
        contradiction,
        isShownTwice: isShownTwice(explained, UNTOUCHED * worst.difference),
      },
    ]
  }
  const all = hypotheses(source, node, after[0]!, worst.row)
  const trials = all.flatMap(tried)
  if (untouched.length === 0 || trials.some(({ unexplained }) => unexplained <= LIKELY)) return trials
  // Nothing that befalls every row explains it: then what befalls those alone that differ.
  const only = new Set(rows.filter((row) => !untouched.includes(row)).map(({ row }) => row.first))
  return [...trials, ...all.filter((one) => one.node === node).flatMap((one) => tried({ ...one, only }))]
}

/** Of rows how much each differs and what of it is left unexplained; those that differ by no more than `untouched` show nothing. */
function isShownTwice(rows: readonly { row: Piece; difference: number; left: number }[], untouched: number): boolean {
  const shares = rows
    .filter(({ difference, left }) => difference > untouched && left <= LIKELY * difference)
    .map(({ row, difference }) => difference / sum(row.recorded.map((x) => x * x)))
  return Math.max(...shares) > UNLIKE * Math.min(...shares)
}

/** What the op gives when the mistake is made at some positions alone. */
function wronglyWhereMade(hypothesis: Hypothesis, site: OpSite, position: number): Float64Array | undefined {
  const { only } = hypothesis
  if (only === undefined) return wrongly(hypothesis, site, position)
  const values = site.right().slice()
  const width = values.length / site.count
  for (let row = 0; row < site.count; row++) {
    if (!only.has(site.first + row)) continue
    const wrong = wrongly(hypothesis, site.elsewhere({ first: site.first + row, count: 1 }), position)
    if (wrong === undefined) return undefined
    values.set(wrong, row * width)
  }
  return values
}

function judge(trials: readonly Trial[]): Cause | undefined {
  const best = trials.reduce((least, { residual }) => Math.min(least, residual), Number.POSITIVE_INFINITY)
  const isEqual = ({ residual }: Trial) => residual <= Math.max(INDISTINGUISHABLE * best, FLOAT32_NOISE)
  const rank = (trial: Trial) => (isEqual(trial) ? 0 : 2) + (trial.contradiction > LIKELY ? 1 : 0)
  // The sort is stable: between equals the catalogue's order decides, the simpler first.
  const ranked = trials.toSorted((a, b) => rank(a) - rank(b) || (isEqual(a) ? 0 : a.residual - b.residual))
  const [chosen] = ranked
  if (chosen === undefined) return undefined
  const rivals = ranked.filter(({ mistake }) => mistake !== chosen.mistake)
  const asGood = (trial: Trial) => rank(trial) <= rank(chosen)
  const otherParameters = ranked.filter(
    (trial) => trial.mistake === chosen.mistake && asGood(trial) && !isNear(trial, chosen),
  )
  const equals = [
    ...new Set(
      otherParameters.map(({ mistake, parameter, site }) => mistake.showParameter?.(parameter, site) ?? `${parameter}`),
    ),
    ...namesOf(rivals.filter(asGood)),
  ]
  const stands = rank(chosen) === 0 && equals.length === 0
  // A setting of some rows alone, or of one row, may be nothing of the kind.
  const isFitted = chosen.mistake.isSetting === true && (chosen.only !== undefined || !chosen.isShownTwice)
  return {
    mistake: chosen.mistake.name,
    message: `${describe(chosen)}${equals.length === 0 ? '' : ` (or as well: ${equals.join(', ')})`}`,
    residual: chosen.residual,
    confidence: isFitted
      ? 'possible'
      : stands && chosen.unexplained <= CERTAIN
        ? 'certain'
        : chosen.unexplained <= LIKELY
          ? 'likely'
          : 'possible',
    alternatives: namesOf(rivals),
  }
}

const namesOf = (trials: readonly Trial[]) => [...new Set(trials.map(({ mistake }) => mistake.name))]

/** Whether two trials of one mistake differ by no more than how a measured parameter is rounded, or by the same mistake's place. */
function isNear(a: Trial, b: Trial): boolean {
  return a.node !== b.node || Math.abs(a.parameter - b.parameter) <= 0.01 * Math.abs(b.parameter)
}

function describe({ mistake, parameter, node, site, only }: Hypothesis): string {
  const { description, parameters, showParameter = String } = mistake
  const where = only === undefined ? '' : `, at ${only.size === 1 ? 'token' : 'tokens'} ${[...only].join(', ')} alone`
  return `${node.name} ${description}${parameters === undefined ? '' : ` ${showParameter(parameter, site)}`}${where}`
}

/** All mistakes at the op and at those between it and what was recorded, with all their parameters; the op's own first. */
function hypotheses(source: RecordedValues, node: GraphNode, piece: Piece, worst: Piece): Hypothesis[] {
  return [node, ...source.replayedInputs(node)].flatMap((at) =>
    MISTAKES.filter(({ ops }) => ops.includes(at.op)).flatMap((mistake) => {
      const site = siteOf(piece, at, source)
      const known = mistake.parameters?.(site) ?? [0]
      // Of an op that was not recorded there is nothing to estimate from.
      const estimated = at === node ? ifAtHand(() => mistake.estimate?.(siteOf(worst, at, source), worst.recorded)) : []
      return [...new Set([...known, ...(estimated ?? [])])].map((parameter) => ({ mistake, parameter, node: at, site }))
    }),
  )
}

/** What the divergent op gives at its site when the mistake is made, there or on the way to it. */
function wrongly({ mistake, parameter, node }: Hypothesis, site: OpSite, position: number): Float64Array | undefined {
  if (node === site.node) return mistake.compute(site, parameter)
  const base = site.source as RecordedValues
  const values = new ValuesWithMistake(base, node.name, position, (inner) => mistake.compute(inner, parameter))
  return site.elsewhere({ source: values }).right()
}

function promptLengthOf({ right, wrong }: CauseQuestion): number {
  return (right.identity.promptTokenIds ?? wrong.identity.promptTokenIds)?.length ?? 0
}

/** What overflows is no measure of size. */
const finiteOr = (size: number) => (Number.isFinite(size) ? size : Number.POSITIVE_INFINITY)
