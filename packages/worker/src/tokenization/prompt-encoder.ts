import { Worker as Thread } from 'node:worker_threads'
import { type ChatMessage, type FieldError, InvalidRequestError, PlumblineError } from '@plumbline/protocol'
import { programPath } from '../package-files.ts'
import type { Tokenizer } from './tokenizer.ts'
import type { TokenizerMetadata } from './tokenizer-metadata.ts'

/** Exactly one of the two. */
export interface Prompt {
  readonly prompt?: string | undefined
  readonly messages?: readonly ChatMessage[] | undefined
}

/** What the thread answers: token ids, or what is wrong with the prompt, or what went wrong with it. */
export type EncodingAnswer =
  | { readonly request: number; readonly ids: Uint32Array }
  | { readonly request: number; readonly errors: readonly FieldError[] }
  | { readonly request: number; readonly failure: string }

/** What takes a millisecond or two is done at once; the longest prompts take a hundred. */
const LONG_CHARACTERS = 2_048

/** Encodes prompts: short ones here, long ones in a thread of their own, which is started when the first one comes. */
export class PromptEncoder {
  readonly #tokenizer: Tokenizer
  readonly #metadata: TokenizerMetadata
  readonly #waiting = new Map<number, (answer: EncodingAnswer) => void>()
  #thread: Thread | undefined
  #requests = 0

  constructor(tokenizer: Tokenizer, metadata: TokenizerMetadata) {
    this.#tokenizer = tokenizer
    this.#metadata = metadata
  }

  /** @throws InvalidRequestError when the model has no chat template, or it refuses the messages */
  async encode(prompt: Prompt): Promise<Uint32Array> {
    if (lengthOf(prompt) <= LONG_CHARACTERS) return encodePrompt(this.#tokenizer, prompt)
    const request = ++this.#requests
    const answer = await new Promise<EncodingAnswer>((resolve) => {
      this.#waiting.set(request, resolve)
      this.#running().postMessage({ request, prompt })
    })
    if ('ids' in answer) return answer.ids
    if ('errors' in answer) throw new InvalidRequestError(answer.errors)
    throw new PlumblineError('INTERNAL', answer.failure)
  }

  dispose(): void {
    void this.#thread?.terminate()
  }

  #running(): Thread {
    if (this.#thread) return this.#thread
    const thread = new Thread(programPath('tokenization/encoding-thread'), { workerData: this.#metadata })
    thread.unref()
    thread.on('message', (answer: EncodingAnswer) => {
      this.#waiting.get(answer.request)?.(answer)
      this.#waiting.delete(answer.request)
    })
    thread.on('error', () => undefined) // 'exit' follows
    thread.on('exit', () => {
      this.#thread = undefined
      for (const [request, resolve] of this.#waiting) resolve({ request, failure: 'the encoding thread has ended' })
      this.#waiting.clear()
    })
    this.#thread = thread
    return thread
  }
}

export function encodePrompt(tokenizer: Tokenizer, { prompt, messages }: Prompt): Uint32Array {
  return messages ? tokenizer.encodeChat(messages) : tokenizer.encodePrompt(prompt!)
}

function lengthOf({ prompt, messages }: Prompt): number {
  return prompt?.length ?? messages!.reduce((sum, message) => sum + message.content.length, 0)
}
