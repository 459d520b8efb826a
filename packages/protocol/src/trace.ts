import { z } from 'zod'

/** `ops` holds every checkpoint, `layers` the residual stream after each layer and what follows it, `logits` the logits alone. */
export const TRACED_LEVELS = ['logits', 'layers', 'ops'] as const
export type TracedLevel = (typeof TRACED_LEVELS)[number]
export const TRACE_LEVELS = ['off', ...TRACED_LEVELS] as const
export type TraceLevel = (typeof TRACE_LEVELS)[number]

/** The checkpoints of one layer, in the order of computation, named as `blk.N.<name>`. */
export const LAYER_CHECKPOINTS = [
  'attn_norm',
  'attn_q',
  'attn_k',
  'attn_v',
  'attn_q_rope',
  'attn_k_rope',
  /** Attention's weighted values, before the output projection. */
  'attn_kqv',
  'attn_output',
  /** The residual stream after attention. */
  'ffn_input',
  'ffn_norm',
  'ffn_gate',
  'ffn_up',
  /** silu(gate) * up */
  'ffn_act',
  'ffn_down',
  /** The residual stream after the layer. */
  'output',
] as const

export type LayerCheckpoint = (typeof LAYER_CHECKPOINTS)[number]

/** Every checkpoint of a model with that many layers, in the order of computation. */
export function checkpointNames(layers: number, level: TracedLevel = 'ops'): string[] {
  if (level === 'logits') return ['logits']
  const ofLayer = level === 'layers' ? (['output'] as const) : LAYER_CHECKPOINTS
  const blocks = Array.from({ length: layers }, (_, layer) => ofLayer.map((name) => `blk.${layer}.${name}`))
  return ['token_embd', ...blocks.flat(), 'output_norm', 'logits']
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
/** JSON has no non-finite numbers, and 0 would be a lie. */
export type TraceNumber = number | 'NaN' | 'Infinity' | '-Infinity'
// The type is stated, since the declaration file that TypeScript 7.0 would write of this enum loses '-Infinity'.
export const traceNumberSchema: z.ZodType<TraceNumber, TraceNumber> = z.union([
  z.number(),
  z.enum(['NaN', 'Infinity', '-Infinity']),
])

/** One line of `trace.jsonl`: one checkpoint over a range of positions. */
export const traceRecordSchema = z.strictObject({
  v: z.literal(1),
  run: z.string(),
  phase: z.enum(['prefill', 'decode']),
  /** Absolute position of the first row. */
  pos: z.int().min(0),
  /** Number of positions. */
  n: z.int().min(1),
  /** null for what belongs to no layer. */
  layer: z.int().min(0).nullable(),
  name: z.string(),
  dtype: z.enum(['F32', 'F16', 'BF16']),
  /** [n, width] */
  shape: z.tuple([z.int().min(1), z.int().min(1)]),
  stats: z.strictObject({
    min: traceNumberSchema,
    max: traceNumberSchema,
    mean: traceNumberSchema,
    rms: traceNumberSchema,
    nonfinite: z.int().min(0),
  }),
  /** Into `tensors.bin`, in bytes. */
  offset: z.int().min(0),
  nbytes: z.int().min(1),
  /** The first 8, or all with `--values all`. */
  values: z.array(traceNumberSchema),
})
export type TraceRecord = z.output<typeof traceRecordSchema>

/** `manifest.json`: what was run, by what, on what. Without `closed` the trace is truncated. */
export const traceManifestSchema = z.strictObject({
  v: z.literal(1),
  run: z.string(),
  level: z.enum(TRACED_LEVELS),
  model: z.strictObject({
    name: z.string(),
    sha256: sha256.nullable(),
    architecture: z.string(),
    quant_kind: z.string(),
    layers: z.int().min(1),
    vocab_size: z.int().min(1),
    /** `WeightsFingerprint`; older traces have none. */
    weights_fingerprint: sha256.optional(),
  }),
  /** `tokenizerSha256`; null where it is not stated. */
  tokenizer_sha256: sha256.nullable(),
  /** `chatTemplateSha256`; null where it is not stated. */
  chat_template_sha256: sha256.nullable(),
  prompt_token_ids: z.array(z.int().min(0)).min(1),
  sampling: z.strictObject({
    temperature: z.number(),
    top_k: z.int(),
    top_p: z.number(),
    min_p: z.number(),
    repetition_penalty: z.number(),
    seed: z.string(),
  }),
  max_tokens: z.int().min(0),
  engine: z.strictObject({ name: z.string(), version: z.string(), commit: z.string().nullable() }),
  backend: z.string(),
  device: z.string(),
  precision: z.enum(['fast', 'exact']),
  /** Of weights as stored, activations and KV cache. */
  dtypes: z.strictObject({ weights: z.string(), activations: z.string(), kv_cache: z.string() }),
  /** Checkpoints inside fused kernels. */
  not_observed: z.array(z.string()),
  unfused: z.boolean(),
  started_at: z.iso.datetime(),
  /** Why the trace ended early while the generation went on, e.g. a full disk. */
  stopped: z.string().optional(),
  closed: z
    .strictObject({
      ended_at: z.iso.datetime(),
      /** How the generation ended; CANCELLED also when what asked for it had met a stop string. */
      stop_reason: z.enum(['EOS', 'MAX_TOKENS', 'CANCELLED']),
      records: z.int().min(0),
      generated_token_ids: z.array(z.int().min(0)),
      trace_sha256: sha256,
      tensors_sha256: sha256,
      /** Of this file without this member (`manifestSha256`); older traces have none. */
      manifest_sha256: sha256.optional(),
    })
    .optional(),
})
export type TraceManifest = z.output<typeof traceManifestSchema>
