// The thread that has the tokenizer (prompt-encoder.ts).
import { parentPort } from 'node:worker_threads'
import { PlumblineError } from '@plumbline/protocol/errors'
import type { EncoderAnswer, EncoderGreeting, EncoderRequest } from './prompt-encoder.ts'
import { buildTokenizer, type Tokenizer } from './tokenizer.ts'
import { parseTokenizerMetadata, type TokenizerMetadata, tokenizerSha256 } from './tokenizer-metadata.ts'
import { describeVocabulary } from './vocabulary.ts'

const port = parentPort!
const post = (message: EncoderGreeting | EncoderAnswer, transfer: ArrayBuffer[] = []) =>
  port.postMessage(message, transfer)

function start(json: SharedArrayBuffer): void {
  let metadata: TokenizerMetadata
  let tokenizer: Tokenizer
  try {
    metadata = parseTokenizerMetadata(Buffer.from(json).toString('utf8'))
    tokenizer = buildTokenizer(metadata)
    const vocabulary = describeVocabulary(tokenizer)
    post({ vocabulary }, [vocabulary.bytes.buffer as ArrayBuffer, vocabulary.ends.buffer as ArrayBuffer])
  } catch (error) {
    const { code, message, fields } = PlumblineError.from(error)
    post({ error: { code, message, fields } })
    return
  }
  const answer = (request: EncoderRequest): EncoderAnswer => {
    if (request === 'sha256') return { sha256: tokenizerSha256(metadata) }
    if (request === 'prepare') {
      tokenizer.prepare()
      return { prepared: true }
    }
    return { ids: 'text' in request ? tokenizer.encodePrompt(request.text) : tokenizer.encodeFragments(request.chat) }
  }
  port.on('message', (request: EncoderRequest) => {
    try {
      post(answer(request))
    } catch (error) {
      post({ failure: (error as Error).message })
    }
  })
}

port.once('message', start)
