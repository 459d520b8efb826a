/**
 * The engine process: holds the native core, so that a crash of it takes no HTTP connection along (DESIGN decision 1).
 * It is started by engine-connection.ts, speaks frames on descriptor 3, and ends when that pipe does. On Linux the kernel ends it
 * with its front, too, in case it is stopped and can end nothing.
 */
import { Socket } from 'node:net'
import {
  type DeviceName,
  Engine,
  endWithParent,
  type Job,
  probeDevice,
  type TokenizerMetadata,
} from '@plumbline/cuda-core'
// Not from the package's front door: that loads its schemas, which this process has no use for.
import { PlumblineError } from '@plumbline/protocol/errors'
import { buildTokenizer } from '../tokenization/tokenizer.ts'
import { describeVocabulary } from '../tokenization/vocabulary.ts'
import type { EngineJob, EngineMessageWire, EngineOptions, FrontMessage } from './messages.ts'
import { encodeFrame, FRAME_KIND, PIPE_FD, PipeFrameReader } from './pipe-frame.ts'
import { encodeTokenBatch } from './token-batch.ts'
import { encodeVocabulary } from './vocabulary-bytes.ts'

const PROGRESS_INTERVAL_MS = 100
/** Tokens that come faster than this leave together, so long after those before them at the latest. */
const GATHER_MS = 5
/** How long a clean ending may take before the process ends the hard way. */
const DISPOSE_LIMIT_MS = 1_000

const pipe = new Socket({ fd: PIPE_FD, readable: true, writable: true })
let engine: Engine | undefined
let active: { readonly number: number; readonly job: Job } | undefined
let ending = false

function send(message: EngineMessageWire): void {
  pipe.write(encodeFrame(FRAME_KIND.json, Buffer.from(JSON.stringify(message))))
}

function errorOf(thrown: unknown) {
  const { code, message, fields } = PlumblineError.from(thrown)
  const plain = Object.entries(fields).map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value])
  return { code, message, fields: Object.fromEntries(plain) as Record<string, unknown> }
}

async function load(options: EngineOptions, sendTokenizer: boolean): Promise<void> {
  let loading = { fraction: 0, stage: 'start' }
  let tokenizer: ReturnType<typeof described> | undefined
  const heartbeat = setInterval(() => send({ type: 'loading', ...loading }), PROGRESS_INTERVAL_MS)
  try {
    const device = options.device as DeviceName
    send({ type: 'probing' })
    send({ type: 'device', ...probeDevice(device) })
    engine = await Engine.load({
      ...options,
      device,
      onProgress: (fraction, stage) => {
        loading = { fraction, stage }
      },
      // While other threads load the weights.
      onTokenizer: (metadata) => {
        if (!sendTokenizer) return
        try {
          tokenizer = described(metadata)
        } catch {
          // Said below, unless something else is wrong with the file.
        }
      },
    })
    if (sendTokenizer) {
      tokenizer ??= described(engine.tokenizerMetadata())
      pipe.write(encodeFrame(FRAME_KIND.vocabulary, tokenizer.vocabulary))
    }
    send({
      type: 'loaded',
      info: engine.info,
      memory: engine.memoryUsed(),
    })
    if (tokenizer) pipe.write(encodeFrame(FRAME_KIND.tokenizer, Buffer.from(JSON.stringify(tokenizer.metadata))))
  } catch (thrown) {
    send({ type: 'load_failed', error: errorOf(thrown) })
  } finally {
    clearInterval(heartbeat)
  }
}

/** @throws PlumblineError UNSUPPORTED_TOKENIZER */
function described(tokenizer: TokenizerMetadata) {
  const { scores, tokenTypes, ...rest } = tokenizer
  return {
    vocabulary: encodeVocabulary(describeVocabulary(buildTokenizer(tokenizer))),
    // JSON has no typed arrays.
    metadata: {
      ...rest,
      ...(scores && { scores: Array.from(scores) }),
      ...(tokenTypes && { tokenTypes: Array.from(tokenTypes) }),
    },
  }
}

function generate(number: number, request: EngineJob): void {
  const done = (result: Omit<Extract<EngineMessageWire, { type: 'done' }>, 'type' | 'job' | 'memory'>) => {
    clearInterval(progress)
    active = undefined
    const memory = engine?.memoryUsed() ?? { weights: 0, kvCache: 0, workspace: 0 }
    send({ type: 'done', job: number, memory, ...result })
  }
  const progress = setInterval(() => {
    if (engine) send({ type: 'progress', counter: engine.progress().counter })
  }, PROGRESS_INTERVAL_MS)
  try {
    if (!engine) throw new Error('generate before load')
    const job = engine.generate(
      {
        ...request,
        promptTokenIds: Uint32Array.from(request.promptTokenIds),
        eosIds: [...request.eosIds],
        sampling: { ...request.sampling, seed: BigInt(request.sampling.seed) },
      },
      {
        onTokens: ({ tokens }) => {
          // The line where tokens leave the engine process.
          pipe.write(encodeFrame(FRAME_KIND.tokens, encodeTokenBatch(number, tokens)))
          gatherer.sent(tokens.length, request.maxTokens - 1 - tokens.at(-1)!.index)
        },
        onDone: ({ tokens, stopReason, prefillMs, decodeMs, error, trace }) =>
          done({
            tokens,
            stopReason,
            prefillMs,
            decodeMs,
            ...(error && { error: errorOf(error) }),
            ...(trace?.stopped !== undefined && { traceStopped: trace.stopped }),
          }),
      },
    )
    active = { number, job }
  } catch (thrown) {
    done({ tokens: 0, stopReason: 'ERROR', prefillMs: 0, decodeMs: 0, error: errorOf(thrown) })
  }
}

/**
 * Lets fast tokens gather in the ring. Each waking of this process, the front and the client costs 50 to 100 microseconds, which the
 * threads that compute lose where there is no core to spare. So after tokens that came quickly this thread sleeps: nothing wakes it, and
 * what it can miss (a cancellation, a heartbeat) can wait for so long. The last token is waited for no longer than it takes.
 */
class TokenGatherer {
  readonly #nothing = new Int32Array(new SharedArrayBuffer(4))
  #lastAt = Number.NEGATIVE_INFINITY

  /** @param count how many tokens have just been sent, @param left how many may follow */
  sent(count: number, left: number): void {
    const now = performance.now()
    const sinceLast = now - this.#lastAt
    this.#lastAt = now
    if (sinceLast >= 2 * GATHER_MS) return
    const wait = Math.min(GATHER_MS, (left * sinceLast) / count)
    // In a turn of its own: if the job is over by now, its end must not wait.
    setImmediate(() => active && Atomics.wait(this.#nothing, 0, 0, wait))
  }
}
const gatherer = new TokenGatherer()

function onMessage(message: FrontMessage): void {
  switch (message.type) {
    case 'load':
      void load(message.options, message.sendTokenizer)
      break
    case 'generate':
      generate(message.job, message.request)
      break
    case 'cancel':
      if (active?.number === message.job) active.job.cancel()
      break
    case 'stop':
      void end()
  }
}

/** The front is gone, or wants this process gone: free the device, and leave. The trace of a running job stays without its close. */
async function end(): Promise<void> {
  if (ending) return
  ending = true
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), DISPOSE_LIMIT_MS)
  await engine?.dispose().catch(() => undefined)
  process.exit(0)
}

const reader = new PipeFrameReader((_kind, payload) => onMessage(JSON.parse(payload.toString('utf8')) as FrontMessage))
pipe.on('data', (chunk: Buffer) => reader.push(chunk))
pipe.on('error', () => void end())
pipe.on('close', () => void end())

// A terminal sends Ctrl-C to the whole process group: the front decides when this process ends.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)

send({ type: 'hello', pid: process.pid })
try {
  endWithParent() // The addon is loaded by this, while the front still finds out what to load with it.
} catch {
  // `load` meets the same error, and says so.
}
