import { readFileSync } from 'node:fs'
import { LIMITS, TRACE_LEVELS, type TraceLevel } from '@plumbline/protocol'
import type { Command } from 'commander'
import { invalidOption, resolveConfiguration } from '../config/configuration.ts'
import { OPTIONS } from '../config/options.ts'
import { addOptions, flagsOf } from './command-options.ts'

const ENGINE_OPTIONS = ['model', 'device', 'precision', 'threads', 'contextLength', 'logLevel'] as const

/** `trace`: one generation without a server, written down checkpoint by checkpoint. */
export function addTraceCommand(program: Command): void {
  const trace = program
    .command('trace')
    .description('run one generation without a server and write its trace')
    .requiredOption('--out <DIR>', 'folder for the trace: made if it is not there, must be empty')
    .option('--prompt <TEXT>', 'the prompt')
    .option('--messages <FILE>', 'a JSON file of chat messages, in place of a prompt')
    .option('--prompt-token-ids <IDS>', 'token ids with commas between them, in place of a prompt')
    .option('--level <LEVEL>', 'logits, layers or ops', 'ops')
    .option('--values <WHICH>', 'first8 or all: how much of each tensor is in the JSONL, too', 'first8')
    .option('--max-tokens <N>', 'tokens to generate; 0 = evaluate the prompt only', '16')
    .option('--temperature <T>', '0 = greedy', '0')
    .option('--seed <N>', 'unsigned 64-bit integer', '0')
  addOptions(
    trace,
    ENGINE_OPTIONS.map((name) => OPTIONS[name]),
  )
  trace.action(async (given: Record<string, string>) => {
    const configuration = resolveConfiguration(flagsOf(given), process.env)
    const maxTokens = oneNumber('--max-tokens', given.maxTokens!, LIMITS.maxTokens)
    const request = {
      job_id: 'trace',
      ...prompt(given),
      max_tokens: Math.max(maxTokens, 1),
      temperature: Number(given.temperature),
      seed: given.seed,
    }
    const [{ findModelFile }, { runTrace }] = await Promise.all([
      import('./model-file.ts'),
      import('../server/run-trace.ts'),
    ])
    const modelFile = await findModelFile(configuration.values.model)
    const result = await runTrace(configuration.values, modelFile, {
      request,
      maxTokens,
      directory: given.out!,
      level: oneOf('--level', given.level!, TRACE_LEVELS.slice(1)) as Exclude<TraceLevel, 'off'>,
      values: oneOf('--values', given.values!, ['first8', 'all'] as const),
    })
    process.stdout.write(`${JSON.stringify(result)}\n`)
  })
}

function prompt({ prompt, messages, promptTokenIds }: Record<string, string | undefined>): object {
  return {
    ...(prompt !== undefined && { prompt }),
    ...(messages !== undefined && { messages: readMessages(messages) }),
    ...(promptTokenIds !== undefined && { prompt_token_ids: promptTokenIds.split(',').map(Number) }),
  }
}

function readMessages(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    throw invalidOption('--messages', path, 'must be a file that holds a JSON array of {"role", "content"}')
  }
}

function oneNumber(flag: string, text: string, maximum: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= maximum) return value
  throw invalidOption(flag, text, `must be an integer from 0 to ${maximum}`)
}

function oneOf<Choice extends string>(flag: string, text: string, choices: readonly Choice[]): Choice {
  const chosen = choices.find((choice) => choice === text)
  if (chosen === undefined) throw invalidOption(flag, text, `must be ${choices.join(', ')}`)
  return chosen
}
