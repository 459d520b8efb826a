import type { ExitCode } from '@plumbline/protocol'
import { loadModel, loadTokenizer, type ReferenceModel, readGguf, type Tokenizer } from '@plumbline/reference'
import type { Command } from 'commander'
import { type CompareOptions, compareRecordings } from '../comparison/compare.ts'
import { openRecording } from '../formats/open-recording.ts'
import type { Recording } from '../recording/recording.ts'
import { renderText } from '../report/text.ts'
import type { CommandContext } from './context.ts'
import { namingModel } from './naming-model.ts'
import { refuseItself } from './refuse-itself.ts'
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
  readonly model?: string
}

/** `compare`: is the candidate's forward pass the reference's? */
export function addCompareCommand(program: Command, context: CommandContext): void {
  const compare = program
    .command('compare')
    .description('say whether two recordings are of the same computation, and if not, where they part')
    .argument('<candidate>', 'the recording to judge: a file or a folder')
    .argument('<reference>', 'what it is judged by')
    .option('--model <GGUF>', 'the model: tokens as text, replayed ops, likely causes')
  addReportOptions(compare).action(async (candidate: string, reference: string, given: Given) => {
    context.exitWith(await tellingJson(given, () => compareCommand(candidate, reference, given, context)))
  })
}

async function compareCommand(
  candidatePath: string,
  referencePath: string,
  given: Given,
  { progress }: CommandContext,
): Promise<ExitCode> {
  const onProgress = (rows: number, ofRows: number) => progress.show('comparing', rows, ofRows)
  const options = compareOptions(given, modelOptions(given.model), onProgress)
  const [candidate, reference] = await openBoth(candidatePath, referencePath)
  try {
    await refuseItself(candidate, reference)
    const judged = compareRecordings(candidate, reference, options).map((comparison) => ({
      comparison,
      candidate,
      reference,
    }))
    progress.done()
    const text = worstFirst(judged).map(({ comparison }) => renderText(comparison))
    const again = [
      'plumbline-parity',
      'compare',
      candidatePath,
      referencePath,
      ...(given.model === undefined ? [] : ['--model', given.model]),
      ...judgingWords(given),
    ]
    await writeReports(judged, text.join('\n\n'), given, options, again)
    return exitOf(judged)
  } finally {
    candidate.close()
    reference.close()
  }
}

/** At once: the hashes of both are computed on threads. */
async function openBoth(candidatePath: string, referencePath: string): Promise<[Recording, Recording]> {
  const opened = await Promise.allSettled([openRecording(candidatePath), openRecording(referencePath)])
  const [candidate, reference] = opened
  if (candidate.status === 'fulfilled' && reference.status === 'fulfilled') return [candidate.value, reference.value]
  for (const one of opened) if (one.status === 'fulfilled') one.value.close()
  throw (opened.find(({ status }) => status === 'rejected') as PromiseRejectedResult).reason
}

export function modelOptions(path: string | undefined): Pick<CompareOptions, 'model' | 'tokenizer'> {
  return path === undefined ? {} : loadModels(path)
}

export function loadModels(path: string): { model: ReferenceModel; tokenizer?: Tokenizer } {
  return namingModel(path, () => {
    const gguf = readGguf(path)
    const hasTokenizer = gguf.metadata.has('tokenizer.ggml.model')
    return { model: loadModel(gguf), ...(hasTokenizer && { tokenizer: loadTokenizer(gguf) }) }
  })
}
