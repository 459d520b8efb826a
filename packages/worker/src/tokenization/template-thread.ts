// The thread that renders chats (prompt-encoder.ts).
import { parentPort, workerData } from 'node:worker_threads'
import { type ChatMessage, InvalidRequestError } from '@plumbline/protocol'
import { type ChatTemplate, readTemplate } from './chat-template.ts'
import type { TemplateAnswer, TemplateData } from './prompt-encoder.ts'

const { source, tokens } = workerData as TemplateData
const port = parentPort!
let template: ChatTemplate | undefined

function answer(messages: readonly ChatMessage[]): TemplateAnswer {
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
