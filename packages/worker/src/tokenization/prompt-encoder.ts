import type { ChatMessage } from '@plumbline/protocol'
import { type FieldError, InvalidRequestError, PlumblineError } from '@plumbline/protocol/errors'
import type { ChatTemplateTokens } from './chat-template.ts'
import { messagesError, noTemplate } from './messages-error.ts'
import type { Fragment } from './special-tokens.ts'
import { ThreadEndedError, ThreadQueue } from './thread-queue.ts'
import type { VocabularyData } from './vocabulary.ts'

/** Exactly one of the two. */
export interface Prompt {
  readonly prompt?: string | undefined
  readonly messages?: readonly ChatMessage[] | undefined
}

export type EncoderRequest = { readonly text: string } | { readonly chat: readonly Fragment[] } | 'sha256'
export type EncoderAnswer = { readonly ids: Uint32Array } | { readonly sha256: string } | { readonly failure: string }

/** What template-thread.ts is started with. */
export interface TemplateData {
  readonly source: string
  readonly tokens: ChatTemplateTokens
}
export type TemplateAnswer = { readonly fragments: readonly Fragment[] } | { readonly errors: readonly FieldError[] }

/** For one chat, once the thread is ready. The longest ones take 0.4 s, but a template is a program, and may have no end. */
const TIME_LIMIT_MS = 10_000
/** What a template may fill in small steps; range(), which fills it in one, has a limit of its own (chat-template.ts). */
const MEMORY_LIMIT_MIB = 512

/**
 * Encodes prompts away from the event loop, one after the other. Two threads: one has the tokenizer, which takes up to a second to be
 * made and a tenth of one for the longest prompts; the other renders chats, since their template is a program of the model's that may
 * take any time and any memory, and is only there if the model has one. Neither holds up the other.
 */
export class PromptEncoder {
  readonly #encoder: ThreadQueue<EncoderRequest, EncoderAnswer>
  readonly #templates: ThreadQueue<readonly ChatMessage[], TemplateAnswer> | undefined

  /** @param metadata the tokenizer's, as JSON (tokenizer-metadata.ts); the threads start before it is there */
  constructor(
    metadata: Promise<SharedArrayBuffer>,
    chatTemplate: VocabularyData['chatTemplate'],
    timeLimitMs = TIME_LIMIT_MS,
  ) {
    this.#encoder = new ThreadQueue({ program: 'tokenization/encoding-thread', first: metadata })
    if (!chatTemplate) return
    this.#templates = new ThreadQueue({
      program: 'tokenization/template-thread',
      first: Promise.resolve<TemplateData>(chatTemplate),
      memoryLimitMiB: MEMORY_LIMIT_MIB,
      timeLimitMs,
    })
  }

  /** @throws InvalidRequestError when the model has no chat template, or it refuses the messages, or does not come to an end with them */
  async encode({ prompt, messages }: Prompt): Promise<Uint32Array> {
    const answer = await this.#ask(messages ? { chat: await this.#render(messages) } : { text: prompt! })
    if ('ids' in answer) return answer.ids
    throw new PlumblineError('INTERNAL', 'failure' in answer ? answer.failure : 'the tokenizer answered nonsense')
  }

  /** Of everything that decides how text is cut into tokens. */
  async sha256(): Promise<string> {
    const answer = await this.#ask('sha256')
    if ('sha256' in answer) return answer.sha256
    throw new PlumblineError('INTERNAL', 'failure' in answer ? answer.failure : 'the tokenizer answered nonsense')
  }

  /** Fails what has not been encoded yet. */
  dispose(): void {
    this.#encoder.dispose()
    this.#templates?.dispose()
  }

  async #ask(request: EncoderRequest): Promise<EncoderAnswer> {
    try {
      return await this.#encoder.ask(request)
    } catch (error) {
      throw new PlumblineError('INTERNAL', `the prompt was not encoded: ${(error as Error).message}`)
    }
  }

  async #render(messages: readonly ChatMessage[]): Promise<readonly Fragment[]> {
    if (!this.#templates) throw noTemplate()
    try {
      const answer = await this.#templates.ask(messages)
      if ('fragments' in answer) return answer.fragments
      throw new InvalidRequestError(answer.errors)
    } catch (error) {
      if (!(error instanceof ThreadEndedError)) throw error
      // All there is in the thread that is not ours is the template.
      const why = `the model's chat template fails on them (${error.message}): give prompt instead`
      throw messagesError('chat_template', why)
    }
  }
}
