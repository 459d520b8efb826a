import { randomUUID } from 'node:crypto'
import type { TracedLevel, TraceManifest } from '@plumbline/protocol'
import type { GgufFile, ReferenceModel } from '@plumbline/reference'
import { modelIdentity } from './model-identity.ts'

export interface OracleSubject {
  readonly model: ReferenceModel
  readonly modelName: string
  readonly modelSha256: string
  readonly level: TracedLevel
  readonly promptTokenIds: readonly number[]
  readonly maxTokens: number
  readonly activations: 'F64' | 'Q8'
}

/** manifest.json as it is when the oracle begins. */
export function oracleManifest(subject: OracleSubject): TraceManifest {
  const { model } = subject
  const quantKind = quantKindOf(model.gguf)
  const identity = modelIdentity(model.gguf)
  return {
    v: 1,
    run: randomUUID(),
    level: subject.level,
    model: {
      name: subject.modelName,
      sha256: subject.modelSha256,
      architecture: model.config.architecture,
      quant_kind: quantKind,
      layers: model.config.layers,
      vocab_size: model.vocabSize,
      weights_fingerprint: identity.weightsFingerprint,
    },
    tokenizer_sha256: identity.tokenizerSha256 ?? null,
    chat_template_sha256: identity.chatTemplateSha256,
    prompt_token_ids: [...subject.promptTokenIds],
    sampling: { temperature: 0, top_k: 0, top_p: 1, min_p: 0, repetition_penalty: 1, seed: '0' },
    max_tokens: subject.maxTokens,
    engine: { name: 'plumbline-reference', version: '0.1.0', commit: null },
    backend: 'reference',
    device: 'cpu',
    precision: subject.activations === 'Q8' ? 'fast' : 'exact',
    dtypes: { weights: quantKind, activations: subject.activations, kv_cache: 'F64' },
    not_observed: [],
    unfused: false,
    started_at: new Date().toISOString(),
  }
}

/** The type that most of the weights have. */
function quantKindOf(gguf: GgufFile): string {
  const values = new Map<string, number>()
  for (const { type, shape } of gguf.tensors.values()) {
    const count = shape.reduce((product, dimension) => product * dimension, 1)
    values.set(type, (values.get(type) ?? 0) + count)
  }
  return [...values].reduce((most, entry) => (entry[1] > most[1] ? entry : most))[0]
}
