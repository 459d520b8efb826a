import { rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { EXIT, type ExitCode, PlumblineError, TRACED_LEVELS, type TracedLevel } from '@plumbline/protocol'
import type { Command } from 'commander'
import type { Comparison } from '../comparison/comparison.ts'
import { fileSha256 } from '../formats/sha256-file.ts'
import type { Recording } from '../recording/recording.ts'
import { findReferences } from '../reference-logs/find-references.ts'
import { shortNumber } from '../report/summary.ts'
import { renderText } from '../report/text.ts'
import {
  byPrompt,
  compareTrace,
  generatedTokens,
  type JudgedReference,
  logitsNmse,
} from '../worker-runs/compare-worker.ts'
import { openOrdered } from '../worker-runs/open-ordered.ts'
import { traceWorker } from '../worker-runs/trace-worker.ts'
import { workerCommand } from '../worker-runs/worker-command.ts'
import { modelOptions } from './compare.ts'
import type { CommandContext } from './context.ts'
import { device, oneOf, option, positiveNumber, wholeNumber } from './option-kinds.ts'
import { outFolder } from './out-folder.ts'
import {
  addReportOptions,
  compareOptions,
  exitOf,
  type JudgingOptions,
  judgingWords,
  type ReportOptions,
  tellingJson,
  worstFirst,
  writeReports,
} from './report-options.ts'

interface Given extends JudgingOptions, ReportOptions {
  readonly model: string
  readonly reference: string
  readonly workerCommand?: string
  readonly precision: 'fast' | 'exact'
  readonly device?: string
  readonly threads?: number
  readonly level: TracedLevel
  readonly maxNmse?: number
  readonly timeoutSec: number
  readonly out?: string
}

/** `run`: is the worker's forward pass what was recorded of this model? */
export function addRunCommand(program: Command, context: CommandContext): void {
  const run = program
    .command('run')
    .description('run the worker over the prompts of recorded references of a model, and compare')
    .requiredOption('--model <GGUF>', 'the model file')
    .requiredOption('--reference <DIR>', 'where recorded references are: those of this model are taken')
    .option('--worker-command <LINE>', "a command line that starts a worker (default: Plumbline's own)")
    .addOption(option('--precision <PRECISION>', "the worker's", oneOf(['fast', 'exact'])).default('fast'))
    .addOption(option('--device <DEVICE>', "the worker's: auto, cpu or cuda:N", device))
    .addOption(option('--threads <N>', "the worker's", wholeNumber(1)))
    .addOption(option('--level <LEVEL>', 'of the traces', oneOf(TRACED_LEVELS)).default('ops'))
    .addOption(option('--max-nmse <LIMIT>', 'the most NMSE of any row of logits, besides the ladder', positiveNumber))
    .addOption(option('--timeout-sec <N>', 'how long one trace may take', positiveNumber).default(600))
    .option('--out <DIR>', 'keep the traces here (default: they are removed)')
  addReportOptions(run).action(async (given: Given) => {
    context.exitWith(await tellingJson(given, () => runCommand(given, context)))
  })
}

async function runCommand(given: Given, context: CommandContext): Promise<ExitCode> {
  const command = workerCommand(given.workerCommand)
  const models = modelOptions(given.model)
  const modelSha256 = await fileSha256(given.model)
  const found = await findReferences(given.reference, given.model, modelSha256)
  const recordings: Recording[] = []
  const { folder, keep } = outFolder(given.out)
  try {
    const prompts = byPrompt(found.references)
    if (prompts.length === 0) return nothingFound(given, found.passedOver)
    const judged: JudgedReference[] = []
    for (const [index, references] of prompts.entries()) {
      context.progress.show(`prompt ${index + 1} of ${prompts.length}: the worker traces it`, index, prompts.length)
      const out = join(folder, `prompt-${index}`)
      const { promptTokenIds } = references[0]!
      const startedMs = Date.now()
      await traceWorker(command, {
        ...given,
        promptTokenIds,
        maxTokens: Math.max(...references.map(generatedTokens)),
        out,
        timeoutMs: given.timeoutSec * 1_000,
      })
      const order = { ...given, promptTokenIds, out, modelSha256, startedMs }
      const trace = await openOrdered(
        order,
        found.references.map(({ run }) => run),
      )
      recordings.push(trace)
      const options = compareOptions(given, models, (rows, ofRows) =>
        context.progress.show(`prompt ${index + 1} of ${prompts.length}: comparing`, rows, ofRows),
      )
      judged.push(...compareTrace(trace, references, options, { precision: given.precision, limit: given.maxNmse }))
    }
    context.progress.done()
    await writeReports(judged, textOf(judged, given), given, models, commandWords(given))
    return exitOf(judged)
  } finally {
    context.progress.done()
    for (const recording of recordings) recording.close()
    found.close()
    if (!keep) rmSync(folder, { recursive: true })
  }
}

function nothingFound({ model, reference, json }: Given, passedOver: readonly string[]): ExitCode {
  const lines = [
    `NOTHING COMPARED: ${reference} holds no reference of ${model}`,
    ...passedOver.map((what) => `  passed over ${what}`),
  ]
  if (json) throw new PlumblineError('INVALID_RECORDING', lines.join('\n'), { file: reference })
  process.stdout.write(`${lines.join('\n')}\n`)
  return EXIT.untrusted
}

/** The worst first, what nobody verified, then a line a reference, then what is wrong with the worst in full. */
function textOf(judged: readonly JudgedReference[], { model, precision }: Given): string {
  const sorted = worstFirst(judged)
  const bad = sorted.filter(({ comparison }) => comparison.verdict.exitCode !== EXIT.ok)
  const partial = judged.filter(isPartial)
  const subject = `${basename(model)} (${precision})`
  const each = (of: (comparison: Comparison) => readonly string[]) => [
    ...new Set(judged.flatMap(({ comparison }) => of(comparison))),
  ]
  const lines = [
    ...each(({ alignment }) => alignment.unverified).map((what) => `  unverified: ${what}`),
    ...each(({ unchecked }) => unchecked).map((what) => `  unchecked: ${what}`),
    ...judged.map((one) => `  ${markOf(one).padEnd(8)}${one.name}${logitsOf(one)}: ${one.comparison.verdict.line}`),
  ]
  const [worst] = bad
  if (worst !== undefined) {
    const head = `${worst.comparison.verdict.line}\n  ${subject} against ${worst.name}; ${bad.length} of ${judged.length} references`
    return [head, ...lines, '', renderText(worst.comparison)].join('\n')
  }
  const whole = judged.length - partial.length
  const parts = partial.length === 0 ? '' : `, of ${partial.length} only a part`
  const weaker = judged.filter(({ comparison }) => comparison.verdict.outcome === 'not-shown').length
  const lost = weaker === 0 ? '' : `, ${weaker} of them weaker: mistakes may be lost in the noise`
  const head = whole === 0 ? `SAME AS FAR AS IT GOES: ${subject}` : `SAME: ${subject}`
  const most = judged.toSorted((a, b) => worstOf(b) - worstOf(a))[0]!
  const nearest = `the most NMSE of logits is ${shortNumber(worstOf(most), 2)}, against ${most.name}`
  return [`${head} against ${whole} of ${judged.length} references${parts}${lost}; ${nearest}`, ...lines].join('\n')
}

const isPartial = ({ comparison }: JudgedReference) => comparison.verdict.outcome === 'partial'

function markOf(one: JudgedReference): string {
  const { outcome, exitCode } = one.comparison.verdict
  if (outcome === 'not-shown') return exitCode === EXIT.ok ? 'weaker' : 'UNSHOWN'
  if (exitCode !== EXIT.ok) return 'BAD'
  return isPartial(one) ? 'partial' : 'ok'
}

const worstOf = ({ comparison }: JudgedReference) => logitsNmse(comparison)?.nmse ?? 0

function logitsOf(judged: JudgedReference): string {
  const worst = logitsNmse(judged.comparison)
  return worst === undefined ? '' : ` (logits NMSE ${shortNumber(worst.nmse, 2)})`
}

function commandWords({ model, reference, precision, level, device, threads, maxNmse, ...given }: Given): string[] {
  return [
    ...['plumbline-parity', 'run', '--model', model, '--reference', reference],
    ...(given.workerCommand === undefined ? [] : ['--worker-command', given.workerCommand]),
    ...['--precision', precision, '--level', level],
    ...(device === undefined ? [] : ['--device', device]),
    ...(threads === undefined ? [] : ['--threads', `${threads}`]),
    ...(maxNmse === undefined ? [] : ['--max-nmse', `${maxNmse}`]),
    ...judgingWords(given),
  ]
}
