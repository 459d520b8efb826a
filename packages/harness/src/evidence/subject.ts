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
import { type FileIdentity, identifyFile } from '../probes/file-identity.ts'

/** The model that the worker is asked to run, as the harness itself reads its file. */
export interface Subject {
  readonly path: string
  /** Before anything of it was read, and before a worker had it. */
  readonly file: FileIdentity
  readonly architecture: string
  /** The context length that the file declares. */
  readonly contextLength: number
  /** The type of most of its weights. */
  readonly quantKind: string
  /** Bytes of all tensors together. */
  readonly tensorBytes: number
  /** Bytes of keys and values for the whole context, as float32: the most that an answer makes a worker keep. */
  readonly keyValueBytes: number
  readonly vocabSize: number
  readonly tokenizer: Tokenizer
  /** How it is asked for a haiku. */
  readonly wording: Wording
  /** The reference's float64 model; loaded when it is first asked for. */
  model(): ReferenceModel
}

export async function readSubject(path: string): Promise<Subject> {
  // Says what is wrong with a file that cannot be read.
  readGguf(path)
  const file = await identifyFile(path)
  const gguf = readGguf(path)
  const architecture = text(gguf, 'general.architecture')
  const number = (key: string) => Number(gguf.metadata.get(`${architecture}.${key}`))
  const tokenizer = loadTokenizer(gguf)
  let model: ReferenceModel | undefined
  return {
    path,
    file,
    architecture,
    contextLength: number('context_length'),
    quantKind: quantKind(gguf),
    tensorBytes: [...gguf.tensors.values()].reduce((sum, tensor) => sum + tensor.nbytes, 0),
    keyValueBytes: keyValueBytes(number),
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

function quantKind(gguf: GgufFile): string {
  const values = new Map<string, number>()
  for (const { type, shape } of gguf.tensors.values()) {
    values.set(type, (values.get(type) ?? 0) + shape.reduce((product, length) => product * length, 1))
  }
  return [...values].reduce((most, entry) => (entry[1] > most[1] ? entry : most))[0]
}

/** Two float32 tensors a layer, of context x key and value heads x head size; head size as in ggml/docs/gguf.md. */
function keyValueBytes(number: (key: string) => number): number {
  const heads = number('attention.head_count')
  const headSize = number('attention.key_length') || number('embedding_length') / heads
  const width = (number('attention.head_count_kv') || heads) * headSize
  return 2 * 4 * number('block_count') * number('context_length') * width
}

function text(gguf: GgufFile, key: string): string {
  const value = gguf.metadata.get(key)
  if (typeof value !== 'string') throw new Error(`${key} is missing from the model file`)
  return value
}
