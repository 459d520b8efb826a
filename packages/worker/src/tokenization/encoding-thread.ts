// The thread that encodes chats and long prompts (prompt-encoder.ts).
import { parentPort, workerData } from 'node:worker_threads'
import { InvalidRequestError } from '@plumbline/protocol'
import { type EncodingAnswer, encodePrompt, type Prompt } from './prompt-encoder.ts'
import { buildTokenizer } from './tokenizer.ts'
import type { TokenizerMetadata } from './tokenizer-metadata.ts'

const tokenizer = buildTokenizer(workerData as TokenizerMetadata)

function answer(prompt: Prompt): EncodingAnswer {
  try {
    return { ids: encodePrompt(tokenizer, prompt) }
  } catch (error) {
    if (error instanceof InvalidRequestError) return { errors: error.errors }
    return { failure: (error as Error).message }
  }
}

const reply = (answer: EncodingAnswer) => parentPort!.postMessage(answer)
parentPort!.on('message', (prompt: Prompt) => reply(answer(prompt)))
reply({ ready: true })
