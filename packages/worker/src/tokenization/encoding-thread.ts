// The thread that has the tokenizer (prompt-encoder.ts).
import { parentPort } from 'node:worker_threads'
import { PlumblineError } from '@plumbline/protocol/errors'
// Not from the package's front door: that loads its schemas, which this thread has no use for.
import { tokenizerSha256 } from '@plumbline/protocol/model-identity'
import type { EncoderAnswer, EncoderGreeting, EncoderRequest } from './prompt-encoder.ts'
import { buildTokenizer, type Tokenizer } from './tokenizer.ts'
import { parseTokenizerMetadata, type TokenizerMetadata } from './tokenizer-metadata.ts'
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
  port.on('message', (request: EncoderRequest) => {
    try {
      if (request === 'sha256') post({ sha256: tokenizerSha256(metadata) })
      else
        post({
          ids: 'text' in request ? tokenizer.encodePrompt(request.text) : tokenizer.encodeFragments(request.chat),
        })
    } catch (error) {
      post({ failure: (error as Error).message })
    }
  })
  tokenizer.prepare() // before the first prompt asks for it
}

port.once('message', start)
