import { randomBytes } from 'node:crypto'
import { type ExecuteRequest, parseExecuteRequest, type TraceLevel } from '@plumbline/protocol'
import { type FieldError, InvalidRequestError, PlumblineError } from '@plumbline/protocol/errors'
import type { EngineJob } from '../engine-host/messages.ts'
import { RetryLaterError } from '../server/error-reply.ts'
import type { Worker } from '../server/worker.ts'
import type { PromptEncoder } from '../tokenization/prompt-encoder.ts'
import type { Vocabulary } from '../tokenization/vocabulary.ts'

interface ReadRequest {
  readonly job_id: string
  readonly trace: TraceLevel
  readonly stop: readonly string[]
  readonly engineJob: EngineJob
}

/** A body of POST /execute as a job for the engine. Throws everything that is wrong with it at once. */
export async function readExecuteRequest(body: unknown, worker: Worker): Promise<ReadRequest> {
  const { vocabulary, encoder, info } = worker
  if (!vocabulary || !encoder || !info) {
    parseExecuteRequest(body)
    throw new RetryLaterError('LOADING', 'the model is still being loaded', worker.engine.readyInMs)
  }
  const request = parseForModel(body, worker, vocabulary)
  const promptTokenIds = request.prompt_token_ids ?? (await encode(request, encoder))
  assertFits(promptTokenIds.length, info.contextLength)
  return {
    job_id: request.job_id,
    trace: request.trace,
    stop: request.stop,
    engineJob: {
      promptTokenIds,
      maxTokens: Math.min(request.max_tokens, info.contextLength - promptTokenIds.length),
      sampling: {
        temperature: request.temperature,
        topK: request.top_k,
        topP: request.top_p,
        minP: request.min_p,
        repetitionPenalty: request.repetition_penalty,
        seed: String(request.seed ?? randomBytes(8).readBigUInt64LE()),
      },
      eosIds: vocabulary.endOfGenerationIds,
      ignoreEos: request.ignore_eos,
      logprobs: request.logprobs,
    },
  }
}

function assertFits(promptTokens: number, contextLength: number): void {
  if (promptTokens < contextLength) return
  const message = `the prompt has ${promptTokens} tokens, and the context of ${contextLength} must have room for one more`
  throw new PlumblineError('CONTEXT_OVERFLOW', message)
}

/** The contract's rules and this model's rules, all broken ones in one error. */
function parseForModel(body: unknown, worker: Worker, vocabulary: Vocabulary): ExecuteRequest {
  const ofModel = modelErrors(body as Partial<ExecuteRequest> | null, worker)
  // A vocabulary may have ids without an embedding, or embeddings (padding) without a text.
  const vocabSize = Math.min(vocabulary.size, worker.info!.vocabSize)
  let request: ExecuteRequest
  try {
    request = parseExecuteRequest(body, vocabSize - 1)
  } catch (error) {
    if (error instanceof InvalidRequestError) throw new InvalidRequestError([...error.errors, ...ofModel])
    throw error
  }
  if (ofModel.length > 0) throw new InvalidRequestError(ofModel)
  return request
}

/** What no schema can know: this chat template, whether traces are written here. The body is unchecked. */
function modelErrors(body: Partial<ExecuteRequest> | null, worker: Worker): FieldError[] {
  const errors: FieldError[] = []
  if (Array.isArray(body?.messages) && worker.vocabulary?.chatTemplate === undefined) {
    const message = 'this model has no chat template: give prompt or prompt_token_ids instead'
    errors.push({ field: 'messages', constraint: 'chat_template', message })
  }
  if (body?.trace !== undefined && body.trace !== 'off' && worker.options.traceDir === undefined) {
    const message = 'this worker writes no traces: it was started without --trace-dir'
    errors.push({ field: 'trace', constraint: 'trace_dir', message })
  }
  return errors
}

async function encode({ prompt, messages }: ExecuteRequest, encoder: PromptEncoder): Promise<number[]> {
  const ids = await encoder.encode({ prompt, messages })
  if (ids.length > 0) return Array.from(ids)
  throw new InvalidRequestError([
    { field: 'prompt', constraint: 'tokens', message: 'holds no token of this model, must hold at least one' },
  ])
}
