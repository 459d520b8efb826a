import { parseExecuteRequest, type SamplingParameters } from '@plumbline/protocol'
import { drawMargin, sample } from '@plumbline/reference'
import { type StreamRecord, streamName } from '../probes/stream-record.ts'
import { viewStream } from '../probes/stream-view.ts'
import { type ReplayedPlace, ReplaySession } from './replay-session.ts'
import { promptTokenIds, type Subject } from './subject.ts'
import type { Activations } from './tolerance.ts'

/** One draw of a stream, made again. */
export interface ReplayedDraw {
  /** Place in the answer, from 0. The end-of-sequence token stands one behind the last token event. */
  readonly index: number
  readonly tokenId: number
  /** In logits: how far the token lies below what the reference draws with the same seed; 0 when it is the same. */
  readonly margin: number
  /** Whether only the edge of top_k, top_p or min_p, moved within the noise, explains it. */
  readonly edge: boolean
  readonly inKeptSet: boolean
  /** In logits: what noise was allowed for here. */
  readonly tolerance: number
  /** Whether the reference draws another token here when it rounds no activations: an honest worker may well, too. */
  readonly swayed: boolean
}

export interface Replay {
  /** Which stream, in words. */
  readonly stream: string
  /** How many draws the stream holds: its tokens, and its end-of-sequence token when that ended it. */
  readonly draws: number
  /** All of them, unless the harness was told to stop. */
  readonly replayed: readonly ReplayedDraw[]
  /** The first id that the model does not have: nothing behind it can be replayed. */
  readonly impossible: { readonly index: number; readonly tokenId: number } | undefined
  /** What kept the reference from replaying on. */
  readonly error: string | undefined
  /** What the reference multiplied matrices of quantised weights with. */
  readonly activations: Activations
  readonly ms: number
}

/** Tokens that the reference evaluates between two looks at the signal. */
const BLOCK = 16

export interface ReplayOptions {
  /** What the worker states. */
  readonly activations: Activations
  /** Stops it. */
  readonly signal: AbortSignal
  readonly onProgress: (done: number, draws: number) => void
}

/**
 * Runs the ids of a stream through the reference's float64 model, which rounds activations as the worker states, and asks at each place how far the token that came
 * lies below the one that the specified sampler draws there with the request's seed. The answer's own earlier tokens are the
 * context of each, so one wrong token is one wrong draw and does not spoil those behind it.
 */
export async function replayStream(subject: Subject, stream: StreamRecord, options: ReplayOptions): Promise<Replay> {
  const start = performance.now()
  const { activations } = options
  const view = viewStream(stream)
  const request = parseExecuteRequest(stream.request)
  const sampling: SamplingParameters = {
    temperature: request.temperature,
    topK: request.top_k,
    topP: request.top_p,
    minP: request.min_p,
    repetitionPenalty: request.repetition_penalty,
    // What the request asks for, whatever the worker says it used.
    seed: request.seed ?? 0n,
  }
  const prompt = promptTokenIds(subject, request)
  const bad = view.tokenIds.findIndex((id) => id >= subject.vocabSize)
  const impossible = bad < 0 ? undefined : { index: bad, tokenId: view.tokenIds[bad]! }
  const answer = view.tokenIds.slice(0, impossible?.index)
  const draws = answer.length + (view.end?.stop_reason === 'EOS' && impossible === undefined ? 1 : 0)

  const history = [...prompt]
  const replayed: ReplayedDraw[] = []
  const judgeDraw = ({ logits, unrounded, tolerance }: ReplayedPlace) => {
    const index = replayed.length
    const drawOf = (row: Float64Array) => sample(row, sampling, history, index).tokenId
    const swayed = unrounded !== logits && drawOf(unrounded) !== drawOf(logits)
    // Any of the end-of-sequence tokens would have ended the answer: the likeliest of them is asked about.
    const candidates = index < answer.length ? [answer[index]!] : [...subject.tokenizer.eosIds]
    const judged = candidates.map((tokenId) => ({
      index,
      tokenId,
      tolerance,
      swayed,
      ...drawMargin(logits, sampling, history, index, tokenId, tolerance),
    }))
    replayed.push(judged.reduce((best, draw) => (draw.margin < best.margin ? draw : best)))
  }

  let error: string | undefined
  try {
    const session = new ReplaySession(subject, activations)
    if (draws > 0) judgeDraw(session.append(prompt).at(-1)!)
    while (replayed.length < draws && !options.signal.aborted) {
      const from = replayed.length - 1
      const block = answer.slice(from, Math.min(from + BLOCK, draws - 1))
      const rows = session.append(block)
      for (const [row, tokenId] of block.entries()) {
        history.push(tokenId)
        judgeDraw(rows[row]!)
      }
      options.onProgress(replayed.length, draws)
      // Lets signals and the progress line through.
      await new Promise((resolve) => setImmediate(resolve))
    }
  } catch (thrown) {
    error = thrown instanceof Error ? thrown.message : String(thrown)
  }
  const ms = performance.now() - start
  return { stream: streamName(stream), draws, replayed, impossible, error, activations, ms }
}
