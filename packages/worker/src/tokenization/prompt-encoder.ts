import { Worker as Thread } from 'node:worker_threads'
import { type ChatMessage, type FieldError, InvalidRequestError, PlumblineError } from '@plumbline/protocol'
import { programPath } from '../package-files.ts'
import { messagesError } from './chat-template.ts'
import type { Tokenizer } from './tokenizer.ts'
import type { TokenizerMetadata } from './tokenizer-metadata.ts'

/** Exactly one of the two. */
export interface Prompt {
  readonly prompt?: string | undefined
  readonly messages?: readonly ChatMessage[] | undefined
}

/** What the thread answers: token ids, or what is wrong with the prompt, or what went wrong with it. */
export type EncodingAnswer =
  /** Once, when the tokenizer has been built. */
  | { readonly ready: true }
  | { readonly ids: Uint32Array }
  | { readonly errors: readonly FieldError[] }
  | { readonly failure: string }

interface Waiting {
  readonly prompt: Prompt
  resolve(ids: Uint32Array): void
  reject(error: PlumblineError): void
}

/** What takes a millisecond or two is done at once; the longest prompts take a hundred. */
const LONG_CHARACTERS = 2_048
/** For one chat, once the thread is ready. The longest ones take 0.4 s, but a template is a program, and may have no end. */
const TIME_LIMIT_MS = 10_000
/** A vocabulary of 150,000 tokens takes 60 of it; the rest is what a template may fill. */
const MEMORY_LIMIT_MIB = 512

/**
 * Encodes prompts: short ones here; long ones and chats, whose template is a program of the model's, one after the other in a thread of
 * their own, which is there from the start if the model has a chat template, and else when the first long prompt comes.
 */
export class PromptEncoder {
  readonly #tokenizer: Tokenizer
  readonly #metadata: TokenizerMetadata
  readonly #timeLimitMs: number
  readonly #waiting: Waiting[] = []
  #active: Waiting | undefined
  #limit: NodeJS.Timeout | undefined
  #thread: Thread | undefined
  #ready = false

  constructor(tokenizer: Tokenizer, metadata: TokenizerMetadata, timeLimitMs = TIME_LIMIT_MS) {
    this.#tokenizer = tokenizer
    this.#metadata = metadata
    this.#timeLimitMs = timeLimitMs
    if (metadata.chatTemplate !== undefined) this.#thread = this.#startThread()
  }

  /** @throws InvalidRequestError when the model has no chat template, or it refuses the messages, or does not come to an end with them */
  async encode(prompt: Prompt): Promise<Uint32Array> {
    if (prompt.prompt !== undefined && prompt.prompt.length <= LONG_CHARACTERS) {
      return encodePrompt(this.#tokenizer, prompt)
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ prompt, resolve, reject })
      this.#next()
    })
  }

  /** Fails what has not been encoded yet. */
  dispose(): void {
    const error = new PlumblineError('INTERNAL', 'the encoder was disposed')
    for (const { reject } of this.#waiting.splice(0)) reject(error)
    const thread = this.#thread
    this.#forgetThread()
    this.#settle(({ reject }) => reject(error))
    void thread?.terminate()
  }

  #next(): void {
    if (this.#active) return
    this.#active = this.#waiting.shift()
    if (!this.#active) return
    this.#thread ??= this.#startThread()
    this.#thread.postMessage(this.#active.prompt)
    if (this.#ready) this.#startClock()
  }

  #startClock(): void {
    if (!this.#active?.prompt.messages) return // the time that text takes has a bound
    const thread = this.#thread!
    this.#limit = setTimeout(() => {
      this.#onEnd(thread, `it took longer than ${this.#timeLimitMs / 1_000} s`)
      void thread.terminate()
    }, this.#timeLimitMs)
    this.#limit.unref()
  }

  #startThread(): Thread {
    const thread = new Thread(programPath('tokenization/encoding-thread'), {
      workerData: this.#metadata,
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_LIMIT_MIB },
    })
    thread.unref()
    thread.on('message', (answer: EncodingAnswer) => this.#onAnswer(thread, answer))
    thread.on('error', (error) => this.#onEnd(thread, error.message))
    thread.on('exit', () => this.#onEnd(thread, 'the encoding thread has ended'))
    return thread
  }

  #onEnd(thread: Thread, why: string): void {
    if (this.#thread !== thread) return
    this.#forgetThread()
    this.#settle(({ prompt, reject }) =>
      reject(prompt.messages ? templateFailure(why) : new PlumblineError('INTERNAL', why)),
    )
  }

  #forgetThread(): void {
    this.#thread = undefined
    this.#ready = false
  }

  #onAnswer(thread: Thread, answer: EncodingAnswer): void {
    if (this.#thread !== thread) return
    if ('ready' in answer) {
      this.#ready = true
      this.#startClock()
    } else {
      this.#settle(({ resolve, reject }) => {
        if ('ids' in answer) resolve(answer.ids)
        else if ('errors' in answer) reject(new InvalidRequestError(answer.errors))
        else reject(new PlumblineError('INTERNAL', answer.failure))
      })
    }
  }

  #settle(how: (active: Waiting) => void): void {
    clearTimeout(this.#limit)
    const active = this.#active
    this.#active = undefined
    if (active) how(active)
    this.#next()
  }
}

/** A chat that the thread did not survive: all there is in it that is not ours is the template. */
function templateFailure(why: string): InvalidRequestError {
  return messagesError('chat_template', `the model's chat template fails on them (${why}): give prompt instead`)
}

export function encodePrompt(tokenizer: Tokenizer, { prompt, messages }: Prompt): Uint32Array {
  return messages ? tokenizer.encodeChat(messages) : tokenizer.encodePrompt(prompt!)
}
