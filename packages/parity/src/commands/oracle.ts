import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { checkpointNames, PlumblineError, TRACE_LEVELS, type TraceLevel } from '@plumbline/protocol'
import { loadModel, loadTokenizer, readGguf } from '@plumbline/reference'
import type { Command } from 'commander'
import { runOracle } from '../oracle/oracle.ts'
import { oracleManifest } from '../oracle/oracle-manifest.ts'
import { parsePlanting } from '../oracle/planting.ts'
import { TraceWriter } from '../oracle/trace-writer.ts'
import type { Progress } from '../progress.ts'
import type { CommandContext } from './context.ts'

/** `oracle`: the reference's forward pass as a trace, right or with a mistake. */
export function addOracleCommand(program: Command, { progress }: CommandContext): void {
  program
    .command('oracle')
    .description("write the reference's own forward pass as a trace, right or with a mistake in it")
    .requiredOption('--model <GGUF>', 'the model file')
    .requiredOption('--prompt-token-ids <IDS>', 'token ids with commas between them')
    .requiredOption('--out <DIR>', 'folder for the trace: made if it is not there')
    .option('--max-tokens <N>', 'tokens to generate greedily; 0 = evaluate the prompt only', '0')
    .option('--level <LEVEL>', 'logits, layers or ops', 'ops')
    .option('--chunk <N>', 'how many tokens of the prompt are evaluated at once; 0 = all', '0')
    .option('--activations <TYPE>', 'F64, or Q8 for the noise of 8-bit activations', 'F64')
    .option(
      '--mistake <NAME[@PLACE][:PHASE]>',
      'a mistake to make; PLACE is a layer (2), an op (ffn_norm) or both (2.ffn_norm), PHASE prefill or decode',
    )
    .action(async (given: Record<string, string>) => {
      process.stdout.write(`${JSON.stringify(await writeOracle(given, progress))}\n`)
    })
}

async function writeOracle(given: Record<string, string>, progress: Progress): Promise<object> {
  const level = oneOf('--level', given.level!, TRACE_LEVELS.slice(1)) as Exclude<TraceLevel, 'off'>
  const activations = oneOf('--activations', given.activations!, ['F64', 'Q8'] as const)
  const maxTokens = wholeNumber('--max-tokens', given.maxTokens!)
  const chunk = wholeNumber('--chunk', given.chunk!)
  const promptTokenIds = tokenIds(given.promptTokenIds!)
  const gguf = readGguf(given.model!)
  const model = loadModel(gguf)
  const planting = given.mistake === undefined ? undefined : parsePlanting(given.mistake, model)
  const eosIds = gguf.metadata.has('tokenizer.ggml.model') ? loadTokenizer(gguf).eosIds : new Set<number>()

  const names = new Set(checkpointNames(model.config.layers, level))
  const modelSha256 = await sha256OfFile(given.model!)
  const modelName = basename(given.model!, '.gguf')
  const writer = new TraceWriter(
    given.out!,
    oracleManifest({ model, modelName, modelSha256, level, promptTokenIds, maxTokens, activations }),
  )
  try {
    const options = { maxTokens, eosIds, activations, ...(planting && { planting }), ...(chunk > 0 && { chunk }) }
    const result = runOracle(model, promptTokenIds, options, (record) => {
      if (names.has(record.name)) writer.write(record)
      progress.show(`${record.phase} at ${record.name}`, record.pos, promptTokenIds.length + maxTokens)
    })
    progress.done()
    writer.close(result.generatedTokenIds, result.stopReason)
    return {
      trace: given.out,
      prompt_token_ids: promptTokenIds,
      token_ids: result.generatedTokenIds,
      stop_reason: result.stopReason,
      ...(result.planted && { planted: { mistake: given.mistake, ...result.planted } }),
    }
  } catch (error) {
    writer.discard()
    throw error
  }
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

function tokenIds(text: string): number[] {
  if (/^\d+(,\d+)*$/.test(text)) return text.split(',').map(Number)
  throw invalidOption('--prompt-token-ids', text, 'must be token ids with commas between them: 1,2,3')
}

function wholeNumber(flag: string, text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  throw invalidOption(flag, text, 'must be a whole number of 0 or more')
}

function oneOf<Choice extends string>(flag: string, text: string, choices: readonly Choice[]): Choice {
  const chosen = choices.find((choice) => choice === text)
  if (chosen === undefined) throw invalidOption(flag, text, `must be ${choices.join(', ')}`)
  return chosen
}

function invalidOption(flag: string, value: string, must: string): PlumblineError {
  return new PlumblineError('INVALID_OPTION', `${flag} is '${value}', ${must}`, { option: flag })
}
