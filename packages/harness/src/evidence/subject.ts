import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { ExecuteRequest, ExecuteRequestBody } from '@plumbline/protocol'
import {
  type GgufFile,
  loadModel,
  loadTokenizer,
  type ReferenceModel,
  readGguf,
  type Tokenizer,
} from '@plumbline/reference'
import { type Wording, wordingFor } from '../challenge/wording.ts'

/** The model that the worker is asked to run, as the harness itself reads its file. */
export interface Subject {
  readonly path: string
  readonly bytes: number
  readonly sha256: string
  readonly architecture: string
  /** The context length that the file declares. */
  readonly contextLength: number
  /** Bytes of all tensors together. */
  readonly tensorBytes: number
  readonly vocabSize: number
  readonly tokenizer: Tokenizer
  /** How it is asked for a haiku. */
  readonly wording: Wording
  /** The reference's float64 model; loaded when it is first asked for. */
  model(): ReferenceModel
}

export async function readSubject(path: string): Promise<Subject> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  const gguf = readGguf(path)
  const architecture = text(gguf, 'general.architecture')
  const tokenizer = loadTokenizer(gguf)
  let model: ReferenceModel | undefined
  return {
    path,
    bytes: (await stat(path)).size,
    sha256: hash.digest('hex'),
    architecture,
    contextLength: Number(gguf.metadata.get(`${architecture}.context_length`)),
    tensorBytes: [...gguf.tensors.values()].reduce((sum, tensor) => sum + tensor.nbytes, 0),
    vocabSize: tokenizer.vocabSize,
    tokenizer,
    wording: wordingFor(gguf.metadata.get('general.basename')),
    model: () => {
      model ??= loadModel(gguf)
      return model
    },
  }
}

/** The token ids that the prompt of a request is, by the reference's tokenizer and template. */
export function promptTokenIds(subject: Subject, request: ExecuteRequestBody | ExecuteRequest): number[] {
  if (request.prompt_token_ids !== undefined) return request.prompt_token_ids
  if (request.messages !== undefined) return subject.tokenizer.encodeChat(request.messages)
  return subject.tokenizer.encode(request.prompt ?? '')
}

function text(gguf: GgufFile, key: string): string {
  const value = gguf.metadata.get(key)
  if (typeof value !== 'string') throw new Error(`${key} is missing from the model file`)
  return value
}
