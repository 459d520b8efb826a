import { z } from 'zod'
import { checkpointPlace, inOrderOfComputation } from '../comparison/checkpoint-name.ts'
import type { Greedy, RunIdentity } from '../recording/recording.ts'

const tokenIds = z.array(z.int().min(0))
const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .optional()

/**
 * The JSON that stands beside tensors: what was run. The members that the recorders of `reference-logs/` write; others are let pass,
 * and a member that is not there is not stated.
 */
export const sidecarSchema = z.looseObject({
  engine: z.string().optional(),
  version: z.string().optional(),
  /** Of the arithmetic, e.g. float64. */
  dtype: z.string().optional(),
  model_file: z.string().optional(),
  model_sha256: sha256,
  /** As in docs/decisions/0023. */
  weights_fingerprint: sha256,
  tokenizer_sha256: sha256,
  chat_template_sha256: sha256,
  architecture: z.string().optional(),
  kv_cache: z.string().optional(),
  ids: tokenIds.optional(),
  greedy: tokenIds.optional(),
  /** First logit minus second, for each of `greedy`. */
  greedy_top1_top2_gap: z.array(z.number()).optional(),
  /** Name to shape, in the order of computation. */
  checkpoints: z.record(z.string(), z.array(z.int().min(0))).optional(),
})
export type Sidecar = z.output<typeof sidecarSchema>

const ACTIVATIONS: Readonly<Record<string, string>> = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
}

/** What a sidecar states. Transformers keeps the q and k of architecture llama in halves; other engines follow the GGUF. */
export function identityOfSidecar(sidecar: Sidecar): RunIdentity {
  const { engine, version, dtype, model_file, model_sha256, architecture, kv_cache, ids } = sidecar
  const { weights_fingerprint, tokenizer_sha256, chat_template_sha256 } = sidecar
  return {
    ...(engine !== undefined && { engine }),
    ...(version !== undefined && { engineVersion: version }),
    ...(model_sha256 !== undefined && { modelSha256: model_sha256 }),
    ...(model_file !== undefined && { modelName: model_file }),
    ...(architecture !== undefined && { architecture }),
    ...(weights_fingerprint !== undefined && { weightsFingerprint: weights_fingerprint }),
    ...(tokenizer_sha256 !== undefined && { tokenizerSha256: tokenizer_sha256 }),
    ...(chat_template_sha256 !== undefined && { chatTemplateSha256: chat_template_sha256 }),
    ...(ids !== undefined && { promptTokenIds: ids }),
    ...(dtype !== undefined && { activations: ACTIVATIONS[dtype] ?? dtype }),
    ...(kv_cache !== undefined && { kvCache: kv_cache }),
    ...(engine === 'transformers' && { ropeOrder: architecture === 'llama' ? ('halves' as const) : ('gguf' as const) }),
  }
}

export function greedyOfSidecar({ greedy, greedy_top1_top2_gap: gaps }: Sidecar): Greedy | undefined {
  return greedy && { tokenIds: greedy, ...(gaps && { gaps }) }
}

/** Layers and widths, as far as the names and widths of what was recorded tell. */
export function dimensionsOf(widths: ReadonlyMap<string, number>): Partial<RunIdentity> {
  let layers = 0
  for (const name of widths.keys()) layers = Math.max(layers, 1 + Number(/^blk\.(\d{1,4})\./.exec(name)?.[1] ?? -1))
  const embeddingLength = widths.get('token_embd') ?? widths.get('output_norm') ?? widths.get('blk.0.output')
  const vocabSize = widths.get('logits')
  return {
    ...(layers > 0 && { layers }),
    ...(embeddingLength !== undefined && { embeddingLength }),
    ...(vocabSize !== undefined && { vocabSize }),
  }
}

/** In the order of computation as far as the names are known, then the others as they come. */
export function inComputationOrder(names: readonly string[]): string[] {
  return [...inOrderOfComputation(names), ...names.filter((name) => checkpointPlace(name) === undefined)]
}
