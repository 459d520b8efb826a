import { readFileSync } from 'node:fs'
import { type ExitCode, LIMITS, parseExecuteRequest, TRACED_LEVELS } from '@plumbline/protocol'
import { InvalidRequestError, PlumblineError } from '@plumbline/protocol/errors'
import { EXIT } from '@plumbline/protocol/exit-codes'
import { invalidOption, resolveConfiguration } from '../config/configuration.ts'
import { runTrace } from '../server/run-trace.ts'
import { flagsOf } from './command-options.ts'
import { findModelFile } from './model-file.ts'

/** What `trace` does with its options; returns what it exits with. */
export async function runTraceCommand({
  unfused = false,
  ...given
}: Record<string, string> & { unfused?: boolean }): Promise<ExitCode> {
  const configuration = resolveConfiguration(flagsOf(given), process.env)
  const maxTokens = oneNumber('--max-tokens', given.maxTokens!, 0, LIMITS.maxTokens)
  const request = {
    job_id: 'trace',
    ...prompt(given),
    max_tokens: Math.max(maxTokens, 1),
    temperature: decimal('--temperature', given.temperature!),
    seed: given.seed,
  }
  const level = oneOf('--level', given.level!, TRACED_LEVELS)
  const values = oneOf('--values', given.values!, ['first8', 'all'] as const)
  const prefillChunk =
    given.prefillChunk === undefined ? undefined : oneNumber('--prefill-chunk', given.prefillChunk, 1, 65_536)
  checkRequest(request)
  const modelFile = await findModelFile(configuration.values.model)
  const result = await runTrace(configuration.values, modelFile, {
    request,
    maxTokens,
    directory: given.out!,
    level,
    values,
    unfused,
    ...(prefillChunk !== undefined && { prefillChunk }),
  })
  process.stdout.write(`${JSON.stringify(result)}\n`)
  if (result.trace_stopped === undefined) return EXIT.ok
  process.stderr.write(`plumbline-worker: the trace stopped before its generation did: ${result.trace_stopped}\n`)
  return EXIT.couldNotRun
}

function prompt({ prompt, messages, promptTokenIds }: Record<string, string | undefined>): object {
  return {
    ...(prompt !== undefined && { prompt }),
    ...(messages !== undefined && { messages: readMessages(messages) }),
    ...(promptTokenIds !== undefined && { prompt_token_ids: tokenIds(promptTokenIds) }),
  }
}

/** Before a model is loaded: what is wrong with a request, in the words of the command line. */
function checkRequest(request: unknown): void {
  try {
    parseExecuteRequest(request)
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error
    const { field, constraint, message } = error.errors[0]!
    const given = PROMPTS.filter((name) => name in (request as object))
    if (field === 'prompt' && given.length !== 1) {
      const option = PROMPTS.map(flagOf).join(', ')
      throw new PlumblineError('INVALID_OPTION', `give exactly one of ${option}`, { option, constraint })
    }
    const [name, ...inside] = field.split('.')
    const option = flagOf(name!)
    const place = inside.length === 0 ? '' : ` (${inside.join('.')})`
    throw new PlumblineError('INVALID_OPTION', `${option}${place} ${message}`, { option, constraint })
  }
}

const PROMPTS = ['prompt', 'messages', 'prompt_token_ids']
const flagOf = (field: string) => `--${field.replaceAll('_', '-')}`

function tokenIds(text: string): number[] {
  if (/^\d+(,\d+)*$/.test(text)) return text.split(',').map(Number)
  throw invalidOption('--prompt-token-ids', text, 'must be token ids with commas between them: 1,2,3')
}

function decimal(flag: string, text: string): number {
  if (/^\d*\.?\d+$/.test(text)) return Number(text)
  throw invalidOption(flag, text, 'must be a number of 0 or more')
}

function readMessages(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    throw invalidOption('--messages', path, 'must be a file that holds a JSON array of {"role", "content"}')
  }
}

function oneNumber(flag: string, text: string, minimum: number, maximum: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value
  throw invalidOption(flag, text, `must be an integer from ${minimum} to ${maximum}`)
}

function oneOf<Choice extends string>(flag: string, text: string, choices: readonly Choice[]): Choice {
  const chosen = choices.find((choice) => choice === text)
  if (chosen === undefined) throw invalidOption(flag, text, `must be ${choices.join(', ')}`)
  return chosen
}
