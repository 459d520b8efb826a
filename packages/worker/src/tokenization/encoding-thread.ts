// The thread that encodes long prompts (prompt-encoder.ts).
import { parentPort, workerData } from 'node:worker_threads'
import { InvalidRequestError } from '@plumbline/protocol'
import { type EncodingAnswer, encodePrompt, type Prompt } from './prompt-encoder.ts'
import { buildTokenizer } from './tokenizer.ts'
import type { TokenizerMetadata } from './tokenizer-metadata.ts'

const tokenizer = buildTokenizer(workerData as TokenizerMetadata)

function answer(request: number, prompt: Prompt): EncodingAnswer {
  try {
    return { request, ids: encodePrompt(tokenizer, prompt) }
  } catch (error) {
    if (error instanceof InvalidRequestError) return { request, errors: error.errors }
    return { request, failure: (error as Error).message }
  }
}

parentPort!.on('message', ({ request, prompt }: { request: number; prompt: Prompt }) => {
  parentPort!.postMessage(answer(request, prompt))
})
