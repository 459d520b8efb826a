// The thread that renders chats (prompt-encoder.ts).
import { parentPort } from 'node:worker_threads'
import type { ChatMessage } from '@plumbline/protocol'
import { InvalidRequestError } from '@plumbline/protocol/errors'
import { type ChatTemplate, readTemplate } from './chat-template.ts'
import type { TemplateAnswer, TemplateData } from './prompt-encoder.ts'

const port = parentPort!

port.once('message', ({ source, tokens }: TemplateData) => {
  let template: ChatTemplate | undefined
  const answer = (messages: readonly ChatMessage[]): TemplateAnswer => {
    try {
      template ??= readTemplate(source, tokens)
      return { fragments: template.fragments(messages) }
    } catch (error) {
      if (error instanceof InvalidRequestError) return { errors: error.errors }
      throw error
    }
  }
  port.on('message', (messages: readonly ChatMessage[]) => port.postMessage(answer(messages)))
  port.postMessage(true)
})
