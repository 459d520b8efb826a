import { appendFileSync, closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { type ExitCode, worstExit } from '@plumbline/protocol'
import { loadModel, loadTokenizer, readGguf } from '@plumbline/reference'
import { type Command, Option } from 'commander'
import { type CompareOptions, compareRecordings } from '../comparison/compare.ts'
import { type Comparison, PROFILE_NAMES, type ProfileName } from '../comparison/comparison.ts'
import { openRecording } from '../formats/open-recording.ts'
import { commandLine } from '../report/command-line.ts'
import { csvLines } from '../report/csv.ts'
import { htmlReport } from '../report/html/html-report.ts'
import { jsonReport } from '../report/json-report.ts'
import { renderMarkdown } from '../report/markdown.ts'
import { makeBundle } from '../report/repro/make-bundle.ts'
import { renderText } from '../report/text.ts'
import type { CommandContext } from './context.ts'

interface Given {
  readonly model?: string
  readonly profile?: ProfileName
  readonly strictIdentity: boolean
  readonly allowPartial: boolean
  readonly json: boolean
  readonly csv?: string
  readonly markdown?: string
  readonly html?: string
  readonly repro?: string
}

/** `compare`: is the candidate's forward pass the reference's? */
export function addCompareCommand(program: Command, context: CommandContext): void {
  program
    .command('compare')
    .description('say whether two recordings are of the same computation, and if not, where they part')
    .argument('<candidate>', 'the recording to judge: a file or a folder')
    .argument('<reference>', 'what it is judged by')
    .option('--model <GGUF>', 'the model: tokens as text, replayed ops, likely causes')
    .addOption(
      new Option('--profile <NAME>', 'what is noise (default: by what the recordings say)').choices([...PROFILE_NAMES]),
    )
    .option('--strict-identity', 'what one side leaves out of its identity makes it not comparable', false)
    .option('--allow-partial', 'exit 0 where nothing differs in a part, though equality is not shown by it', false)
    .option('--json', 'the comparison as JSON on stdout; the verdict goes to stderr', false)
    .option('--csv <FILE>', 'every compared row')
    .option('--markdown <FILE>', 'for a GitHub job summary')
    .option('--html <FILE>', 'a page to look at: map of layers, ops and tokens, values, logits; one file, no network')
    .option('--repro <FILE>', 'the divergent op alone, to be computed again: a zip for `plumbline-parity repro`')
    .action(async (candidate: string, reference: string, given: Given) => {
      context.exitWith(await compareCommand(candidate, reference, given, context))
    })
}

async function compareCommand(
  candidatePath: string,
  referencePath: string,
  given: Given,
  { progress }: CommandContext,
): Promise<ExitCode> {
  const options: CompareOptions = {
    ...modelOptions(given.model),
    ...(given.profile !== undefined && { profile: given.profile }),
    strictIdentity: given.strictIdentity,
    allowPartial: given.allowPartial,
    onProgress: (rows, ofRows) => progress.show('comparing', rows, ofRows),
  }
  const candidate = await openRecording(candidatePath)
  const reference = await openRecording(referencePath)
  try {
    const comparisons = compareRecordings(candidate, reference, options)
    progress.done()
    const exitCode = worstExit(comparisons.map(({ verdict }) => verdict.exitCode as Exclude<ExitCode, 2>))
    report(comparisons, exitCode, given)
    if (given.html !== undefined) {
      const [worst, ...others] = worstFirst(comparisons)
      const page = htmlReport(worst!, candidate, reference, {
        command: sameCommand(candidatePath, referencePath, given),
        others,
        ...(options.model !== undefined && { headLength: options.model.config.keyLength }),
        ...(options.tokenizer !== undefined && { decodeToken: (id) => options.tokenizer!.decodeText([id]) }),
      })
      writeFileSync(given.html, page)
    }
    if (given.repro !== undefined) {
      const [worst] = worstFirst(comparisons)
      const bundle = await makeBundle(worst!, candidate, reference, options.model)
      if (bundle !== undefined) writeFileSync(given.repro, bundle)
      else process.stderr.write(`${given.repro} was not written: there is no divergence whose values are at hand\n`)
    }
    return exitCode
  } finally {
    candidate.close()
    reference.close()
  }
}

export function modelOptions(path: string | undefined): Pick<CompareOptions, 'model' | 'tokenizer'> {
  if (path === undefined) return {}
  const gguf = readGguf(path)
  const hasTokenizer = gguf.metadata.has('tokenizer.ggml.model')
  return { model: loadModel(gguf), ...(hasTokenizer && { tokenizer: loadTokenizer(gguf) }) }
}

/** Whoever reads one line reads the first. */
function worstFirst(comparisons: readonly Comparison[]): readonly Comparison[] {
  return comparisons.toSorted((a, b) => b.verdict.exitCode - a.verdict.exitCode)
}

/** What makes the comparison again, without what it writes. */
function sameCommand(candidate: string, reference: string, given: Given): string {
  const { model, profile, strictIdentity, allowPartial } = given
  return commandLine([
    'plumbline-parity',
    'compare',
    candidate,
    reference,
    ...(model === undefined ? [] : ['--model', model]),
    ...(profile === undefined ? [] : ['--profile', profile]),
    ...(strictIdentity ? ['--strict-identity'] : []),
    ...(allowPartial ? ['--allow-partial'] : []),
  ])
}

function report(comparisons: readonly Comparison[], exitCode: ExitCode, { json, csv, markdown }: Given): void {
  const sorted = worstFirst(comparisons)
  if (csv !== undefined) writeLines(csv, csvLines(comparisons))
  if (markdown !== undefined) {
    const text = renderMarkdown(sorted)
    // A job summary is shared by all commands of its step.
    if (markdown === process.env.GITHUB_STEP_SUMMARY) appendFileSync(markdown, text)
    else writeFileSync(markdown, text)
  }
  if (json) {
    process.stdout.write(`${JSON.stringify(jsonReport(comparisons, exitCode), null, 2)}\n`)
    for (const { verdict } of sorted) process.stderr.write(`${verdict.line}\n`)
  } else process.stdout.write(`${sorted.map(renderText).join('\n\n')}\n`)
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
