// The thread that has the tokenizer (prompt-encoder.ts).
import { parentPort } from 'node:worker_threads'
// Not from the package's front door: that loads its schemas, which this thread has no use for.
import { tokenizerSha256 } from '@plumbline/protocol/model-identity'
import type { EncoderAnswer, EncoderRequest } from './prompt-encoder.ts'
import { buildTokenizer } from './tokenizer.ts'
import { parseTokenizerMetadata } from './tokenizer-metadata.ts'

/** What encoding needs is made so long after the start, unless the first prompt asks for it sooner: not beside the first answers. */
const PREPARE_AFTER_MS = 1_000

const port = parentPort!

port.once('message', (json: SharedArrayBuffer) => {
  const metadata = parseTokenizerMetadata(Buffer.from(json).toString('utf8'))
  const tokenizer = buildTokenizer(metadata)
  const answer = (request: EncoderRequest): EncoderAnswer => {
    if (request === 'sha256') return { sha256: tokenizerSha256(metadata) }
    return { ids: 'text' in request ? tokenizer.encodePrompt(request.text) : tokenizer.encodeFragments(request.chat) }
  }
  port.on('message', (request: EncoderRequest) => {
    try {
      port.postMessage(answer(request))
    } catch (error) {
      port.postMessage({ failure: (error as Error).message })
    }
  })
  port.postMessage(true)
  setTimeout(() => tokenizer.prepare(), PREPARE_AFTER_MS)
})
