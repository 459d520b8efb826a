import { appendFileSync, closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { type ExitCode, PlumblineError, worstExit } from '@plumbline/protocol'
import type { Command } from 'commander'
import type { CompareOptions } from '../comparison/compare.ts'
import { type Judged, PROFILE_NAMES, type ProfileName } from '../comparison/comparison.ts'
import { commandLine } from '../report/command-line.ts'
import { csvLines } from '../report/csv.ts'
import { htmlReport } from '../report/html/html-report.ts'
import { writeJson } from '../report/json-document.ts'
import { jsonRefusal, jsonReport } from '../report/json-report.ts'
import { renderMarkdown } from '../report/markdown.ts'
import { makeBundle } from '../report/repro/make-bundle.ts'
import { oneOf, option } from './option-kinds.ts'

/** How two recordings are to be judged. */
export interface JudgingOptions {
  readonly profile?: ProfileName
  readonly strictIdentity: boolean
  readonly allowPartial: boolean
  readonly allowWeaker: boolean
}

/** What is to be written of it. */
export interface ReportOptions {
  readonly json: boolean
  readonly csv?: string
  readonly markdown?: string
  readonly html?: string
  readonly repro?: string
}

export const ALLOW_WEAKER = {
  flags: '--allow-weaker',
  words:
    'exit 0 where values are within coarse noise, though not every op could be replayed to look for mistakes in it',
} as const

/** The options that `compare` and `run` share. */
export function addReportOptions(command: Command): Command {
  return command
    .addOption(option('--profile <NAME>', 'what is noise (default: by what the recordings say)', oneOf(PROFILE_NAMES)))
    .option('--strict-identity', 'what one side leaves out of its identity makes it not comparable', false)
    .option(
      '--allow-partial',
      'exit 0 where nothing differs in a part of the values or runs, though equality is not shown by it',
      false,
    )
    .option(ALLOW_WEAKER.flags, ALLOW_WEAKER.words, false)
    .option('--json', 'the comparison as JSON on stdout; the verdict goes to stderr', false)
    .option('--csv <FILE>', 'every compared row')
    .option('--markdown <FILE>', 'for a GitHub job summary')
    .option('--html <FILE>', 'a page to look at: map of layers, ops and tokens, values, logits; one file, no network')
    .option('--repro <FILE>', 'the divergent op alone, to be computed again: a zip for `plumbline-parity repro`')
}

/** Whoever reads one line reads the first. */
export function worstFirst<T extends Pick<Judged, 'comparison'>>(judged: readonly T[]): readonly T[] {
  return judged.toSorted((a, b) => b.comparison.verdict.exitCode - a.comparison.verdict.exitCode)
}

export function exitOf(judged: readonly Judged[]): ExitCode {
  return worstExit(judged.map(({ comparison }) => comparison.verdict.exitCode as Exclude<ExitCode, 2>))
}

/** Writes the files that were asked for, and `text` or the JSON to stdout. At least one comparison. */
export async function writeReports(
  judged: readonly Judged[],
  text: string,
  { json, csv, markdown, html, repro }: ReportOptions,
  { model, tokenizer }: Pick<CompareOptions, 'model' | 'tokenizer'>,
  command: readonly string[],
): Promise<void> {
  const sorted = worstFirst(judged)
  const comparisons = judged.map(({ comparison }) => comparison)
  if (csv !== undefined) writeLines(csv, csvLines(comparisons))
  if (markdown !== undefined) {
    const summary = renderMarkdown(sorted.map(({ comparison }) => comparison))
    // A job summary is shared by all commands of its step.
    if (markdown === process.env.GITHUB_STEP_SUMMARY) appendFileSync(markdown, summary)
    else writeFileSync(markdown, summary)
  }
  if (json) {
    writeJson(jsonReport(comparisons, exitOf(judged)))
    for (const { comparison } of sorted) process.stderr.write(`${comparison.verdict.line}\n`)
  } else process.stdout.write(`${text}\n`)
  const [worst, ...others] = sorted
  if (html !== undefined) {
    const page = htmlReport(worst!.comparison, worst!.candidate, worst!.reference, {
      command: commandLine(command),
      others: others.map(({ comparison }) => comparison),
      ...(model !== undefined && { headLength: model.config.keyLength }),
      ...(tokenizer !== undefined && { decodeToken: (id) => tokenizer.decodeText([id]) }),
    })
    writeFileSync(html, page)
  }
  if (repro !== undefined) {
    const bundle = await makeBundle(worst!.comparison, worst!.candidate, worst!.reference, model)
    if (bundle !== undefined) writeFileSync(repro, bundle)
    else process.stderr.write(`${repro} was not written: there is no divergence whose values are at hand\n`)
  }
}

/** Where nothing could be done, `--json` prints a document that says why. */
export async function tellingJson<T>(
  { json }: Pick<ReportOptions, 'json'>,
  work: () => Promise<T>,
  refusal: (error: PlumblineError) => object = jsonRefusal,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (json && error instanceof PlumblineError) writeJson(refusal(error))
    throw error
  }
}

export function compareOptions(
  { profile, strictIdentity, allowPartial, allowWeaker }: JudgingOptions,
  models: Pick<CompareOptions, 'model' | 'tokenizer'>,
  onProgress: (rows: number, ofRows: number) => void,
): CompareOptions {
  return { ...models, ...(profile !== undefined && { profile }), strictIdentity, allowPartial, allowWeaker, onProgress }
}

/** As words of a command line, for whoever wants to make the comparison again. */
export function judgingWords({ profile, strictIdentity, allowPartial, allowWeaker }: JudgingOptions): string[] {
  return [
    ...(profile === undefined ? [] : ['--profile', profile]),
    ...(strictIdentity ? ['--strict-identity'] : []),
    ...(allowPartial ? ['--allow-partial'] : []),
    ...(allowWeaker ? ['--allow-weaker'] : []),
  ]
}

function writeLines(path: string, lines: Iterable<string>): void {
  const file = openSync(path, 'w')
  try {
    let pending = ''
    for (const line of lines) {
      pending += line
      if (pending.length > 1 << 16) {
        writeSync(file, pending)
        pending = ''
      }
    }
    writeSync(file, pending)
  } finally {
    closeSync(file)
  }
}
