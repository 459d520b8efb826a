import { randomUUID } from 'node:crypto'
import { chatTemplateSha256, type TracedLevel, type TraceManifest } from '@plumbline/protocol'
import type { EngineInfo, EngineJob } from '../engine-host/messages.ts'
import { COMMIT, VERSION } from '../version.ts'

export interface TraceSubject {
  readonly modelName: string
  readonly modelSha256: string | null
  /** Undefined where it cannot be known. */
  readonly weightsFingerprint: string | undefined
  readonly info: EngineInfo
  readonly tokenizer: { readonly sha256: string; readonly chatTemplate: string | undefined }
  readonly job: EngineJob
  readonly level: TracedLevel
  /** Whether the unfused twins of fused kernels were asked for. */
  readonly unfused: boolean
}

/** manifest.json as it is when a trace begins (DESIGN 3.4). */
export function traceManifest({
  modelName,
  modelSha256,
  weightsFingerprint,
  info,
  tokenizer,
  job,
  level,
  unfused,
}: TraceSubject): TraceManifest {
  const { sampling } = job
  return {
    v: 1,
    run: randomUUID(),
    level,
    model: {
      name: modelName,
      sha256: modelSha256,
      architecture: info.architecture,
      quant_kind: info.quantKind,
      layers: info.layers,
      vocab_size: info.vocabSize,
      ...(weightsFingerprint !== undefined && { weights_fingerprint: weightsFingerprint }),
    },
    tokenizer_sha256: tokenizer.sha256,
    chat_template_sha256: chatTemplateSha256(tokenizer.chatTemplate),
    prompt_token_ids: [...job.promptTokenIds],
    sampling: {
      temperature: sampling.temperature,
      top_k: sampling.topK,
      top_p: sampling.topP,
      min_p: sampling.minP,
      repetition_penalty: sampling.repetitionPenalty,
      seed: sampling.seed,
    },
    max_tokens: job.maxTokens,
    engine: { name: 'plumbline', version: VERSION, commit: COMMIT },
    backend: info.backend,
    device: info.device,
    precision: info.precision,
    dtypes: { weights: info.quantKind, activations: info.activations, kv_cache: 'F32' },
    not_observed: [],
    unfused,
    started_at: new Date().toISOString(),
  }
}
