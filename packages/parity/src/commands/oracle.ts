import { basename } from 'node:path'
import { checkpointNames, TRACED_LEVELS, type TracedLevel } from '@plumbline/protocol'
import { loadModel, loadTokenizer, readGguf } from '@plumbline/reference'
import type { Command } from 'commander'
import { fileSha256 } from '../formats/sha256-file.ts'
import { runOracle } from '../oracle/oracle.ts'
import { oracleManifest } from '../oracle/oracle-manifest.ts'
import { parsePlanting } from '../oracle/planting.ts'
import { TraceWriter } from '../oracle/trace-writer.ts'
import type { Progress } from '../progress.ts'
import type { CommandContext } from './context.ts'
import { namingModel } from './naming-model.ts'
import { oneOf, option, tokenIds, wholeNumber } from './option-kinds.ts'

interface Given {
  readonly model: string
  readonly promptTokenIds: readonly number[]
  readonly out: string
  readonly maxTokens: number
  readonly level: TracedLevel
  readonly chunk: number
  readonly activations: 'F64' | 'Q8'
  readonly mistake?: string
}

/** `oracle`: the reference's forward pass as a trace, right or with a mistake. */
export function addOracleCommand(program: Command, { progress }: CommandContext): void {
  program
    .command('oracle')
    .description("write the reference's own forward pass as a trace, right or with a mistake in it")
    .requiredOption('--model <GGUF>', 'the model file')
    .addOption(option('--prompt-token-ids <IDS>', 'token ids with commas between them', tokenIds).makeOptionMandatory())
    .requiredOption('--out <DIR>', 'folder for the trace: made if it is not there')
    .addOption(
      option('--max-tokens <N>', 'tokens to generate greedily; 0 = evaluate the prompt only', wholeNumber(0)).default(
        0,
      ),
    )
    .addOption(option('--level <LEVEL>', 'of the trace', oneOf(TRACED_LEVELS)).default('ops'))
    .addOption(
      option('--chunk <N>', 'how many tokens of the prompt are evaluated at once; 0 = all', wholeNumber(0)).default(0),
    )
    .addOption(
      option('--activations <TYPE>', 'Q8 has the noise of 8-bit activations', oneOf(['F64', 'Q8'])).default('F64'),
    )
    .option(
      '--mistake <NAME[=VALUE][@PLACE][:PHASE]>',
      'a mistake to make; VALUE is of those that have one (rope-base=40000), PLACE is a layer (2), an op (ffn_norm) or both (2.ffn_norm), PHASE prefill or decode',
    )
    .action(async (given: Given) => {
      process.stdout.write(`${JSON.stringify(await writeOracle(given, progress))}\n`)
    })
}

async function writeOracle(given: Given, progress: Progress): Promise<object> {
  const { level, activations, maxTokens, chunk, promptTokenIds } = given
  const { gguf, model } = namingModel(given.model, () => {
    const gguf = readGguf(given.model)
    return { gguf, model: loadModel(gguf) }
  })
  const planting = given.mistake === undefined ? undefined : parsePlanting(given.mistake, model)
  const eosIds = gguf.metadata.has('tokenizer.ggml.model') ? loadTokenizer(gguf).eosIds : new Set<number>()

  const names = new Set(checkpointNames(model.config.layers, level))
  const modelSha256 = await fileSha256(given.model)
  const modelName = basename(given.model, '.gguf')
  const writer = new TraceWriter(
    given.out,
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
