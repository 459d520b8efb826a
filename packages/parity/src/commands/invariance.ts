import { appendFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { PlumblineError, TRACED_LEVELS, type TracedLevel } from '@plumbline/protocol'
import type { Tokenizer } from '@plumbline/reference'
import type { Command } from 'commander'
import {
  invarianceExit,
  invarianceJson,
  invarianceLine,
  invarianceMarkdown,
  invarianceText,
} from '../invariance/report.ts'
import { runMatrix } from '../invariance/run-matrix.ts'
import { refusalDocument, writeJson } from '../report/json-document.ts'
import { workerCommand } from '../worker-runs/worker-command.ts'
import { loadModels } from './compare.ts'
import type { CommandContext } from './context.ts'
import { device, distinctNumbers, oneOf, option, positiveNumber, tokenIds, wholeNumber } from './option-kinds.ts'
import { outFolder } from './out-folder.ts'
import { ALLOW_WEAKER, tellingJson } from './report-options.ts'

interface Given {
  readonly model: string
  readonly promptTokenIds?: number[]
  readonly maxTokens: number
  readonly threads: number[]
  readonly chunks: number[]
  readonly precision: 'fast' | 'exact' | 'both'
  readonly device?: string
  readonly level: TracedLevel
  readonly workerCommand?: string
  readonly timeoutSec: number
  readonly allowWeaker: boolean
  readonly json: boolean
  readonly markdown?: string
  readonly out?: string
}

/** What is asked where nothing else is: some words, so that every position differs. */
const SENTENCE = 'Once upon a time a small grey cat sat on a wall and counted the boats that came home before the rain.'

/** `invariance`: is what the worker computes the same, however the same tokens are put through it? */
export function addInvarianceCommand(program: Command, context: CommandContext): void {
  program
    .command('invariance')
    .description('run the worker over the same tokens in many ways, and say which of them differ, and by how much')
    .requiredOption('--model <GGUF>', 'the model file')
    .addOption(option('--prompt-token-ids <IDS>', 'token ids with commas between them (default: a sentence)', tokenIds))
    .addOption(option('--max-tokens <N>', 'tokens to generate greedily', wholeNumber(1)).default(16))
    .addOption(
      option('--threads <LIST>', 'numbers of threads; the first is the base', distinctNumbers(1)).default(
        [1, 2, 3],
        '1,2,3',
      ),
    )
    .addOption(
      option('--chunks <LIST>', 'positions of the prompt evaluated at once', distinctNumbers(1)).default(
        [1, 7, 512],
        '1,7,512',
      ),
    )
    .addOption(option('--precision <PRECISION>', 'of the ways', oneOf(['fast', 'exact', 'both'])).default('both'))
    .addOption(option('--device <DEVICE>', "the worker's: auto, cpu or cuda:N", device))
    .addOption(option('--level <LEVEL>', 'of the traces', oneOf(TRACED_LEVELS)).default('ops'))
    .option('--worker-command <LINE>', "a command line that starts a worker (default: Plumbline's own)")
    .addOption(option('--timeout-sec <N>', 'how long one trace may take', positiveNumber).default(600))
    .option(ALLOW_WEAKER.flags, ALLOW_WEAKER.words, false)
    .option('--json', 'the matrix as JSON on stdout; the verdict goes to stderr', false)
    .option('--markdown <FILE>', 'for a GitHub job summary')
    .option('--out <DIR>', 'keep the traces here (default: they are removed)')
    .action(async (given: Given) => {
      const refusal = (error: PlumblineError) => refusalDocument('invariance', error)
      context.exitWith(await tellingJson(given, () => invarianceCommand(given, context), refusal))
    })
}

async function invarianceCommand(given: Given, { progress }: CommandContext) {
  const { model, maxTokens, threads, chunks, precision, device, level, timeoutSec } = given
  const command = workerCommand(given.workerCommand)
  const { model: loaded, tokenizer } = loadModels(model)
  const promptTokenIds = given.promptTokenIds ?? sentenceIds(model, tokenizer)
  const { folder, keep } = outFolder(given.out)
  try {
    const matrix = await runMatrix({
      ...{ command, model, loaded, device, promptTokenIds, maxTokens, level, threads, chunks, folder },
      allowWeaker: given.allowWeaker,
      precisions: precision === 'both' ? ['exact', 'fast'] : [precision],
      timeoutMs: timeoutSec * 1_000,
      onCell: (done, of) => progress.show('ways compared', done, of),
    })
    progress.done()
    const report = { ...matrix, model: basename(model), promptTokenIds, maxTokens }
    if (given.json) {
      writeJson(invarianceJson(report))
      process.stderr.write(`${invarianceLine(report)}\n`)
    } else process.stdout.write(`${invarianceText(report)}\n`)
    if (given.markdown !== undefined) {
      // A job summary is shared by all commands of its step.
      const write = given.markdown === process.env.GITHUB_STEP_SUMMARY ? appendFileSync : writeFileSync
      write(given.markdown, invarianceMarkdown(report))
    }
    return invarianceExit(report)
  } finally {
    progress.done()
    if (!keep) rmSync(folder, { recursive: true })
  }
}

function sentenceIds(path: string, tokenizer: Tokenizer | undefined): number[] {
  if (tokenizer !== undefined) return tokenizer.encode(SENTENCE)
  const message = `--prompt-token-ids is not given, must be: ${path} has no tokenizer to make some with`
  throw new PlumblineError('INVALID_OPTION', message, { option: '--prompt-token-ids' })
}
