import { EXIT, type ExitCode } from '@plumbline/protocol'
import { logProbabilities } from '@plumbline/reference'
import { makeChallenge } from '../challenge/challenge.ts'
import { challengeRequest } from '../evidence/gather.ts'
import { ReplaySession } from '../evidence/replay-session.ts'
import { promptTokenIds } from '../evidence/subject.ts'
import { type Activations, LIKELIEST, spread, statedActivations } from '../evidence/tolerance.ts'
import type { WorkerOptions } from '../options.ts'
import { recordStream } from '../probes/record-stream.ts'
import { viewStream } from '../probes/stream-view.ts'
import { writeJson } from '../report/artifacts.ts'
import { printJson } from '../report/json.ts'
import type { Progress } from '../report/progress.ts'
import { prepareRun, withMeasuredWorker } from './prepare-run.ts'

export interface LogitNoiseOptions extends WorkerOptions {
  readonly streams: number
  readonly tokens: number
}

/**
 * `plumbline-harness logit-noise`: for each place of many answers, the spread (largest less smallest) of
 * log-probability(worker) - log-probability(reference) over the 20 likeliest tokens. A constant offset changes no
 * draw; the spread is by how much the difference of two logits is off, which is what the replay has to tolerate. The reference rounds
 * activations as the worker states; then it is also told which share of the replay's tolerance each spread is.
 */
export async function logitNoiseCommand(
  options: LogitNoiseOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<ExitCode> {
  const prepared = await prepareRun('logit-noise', options, progress, signal)
  const { subject, folder } = prepared
  const spreads: number[] = []
  const shares: number[] = []
  let precision: string | undefined
  let activations: Activations = 'float'
  await withMeasuredWorker(prepared, progress, async ({ endpoint, health }) => {
    precision = health.health?.precision
    activations = statedActivations({ precision: options.precision }, health.health)
    for (let number = 1; number <= options.streams && !signal.aborted; number++) {
      progress.show('comparing logits', `stream ${number} of ${options.streams}`)
      const challenge = makeChallenge(subject.wording)
      const request = challengeRequest(subject, challenge)
      // What a challenge asks of its sampling does not matter here: wider draws see more of the vocabulary.
      const body = { ...request, temperature: 1, top_k: 0, top_p: 1, min_p: 0, repetition_penalty: 1 }
      const stream = await recordStream({
        endpoint,
        purpose: 'probe',
        attempt: number,
        body: { ...body, max_tokens: options.tokens, ignore_eos: true, logprobs: LIKELIEST },
        timeoutMs: options.streamTimeout * 1000,
        signal,
      })
      const { tokens, tokenIds } = viewStream(stream)
      const session = new ReplaySession(subject, activations)
      let place = session.append(promptTokenIds(subject, body)).at(-1)!
      for (const [index, token] of tokens.entries()) {
        const reference = logProbabilities(place.logits)
        const off = (token.top ?? []).map(({ token_id, logprob }) => logprob - reference[token_id]!)
        if (off.length > 1) {
          spreads.push(spread(off))
          shares.push(spread(off) / place.tolerance)
        }
        place = session.append([tokenIds[index]!])[0]!
      }
    }
  })
  const summary = {
    model: subject.path,
    precision,
    activations,
    places: spreads.length,
    ...distribution(spreads),
    shareOfTolerance: distribution(shares),
  }
  await writeJson(folder, 'summary.json', summary)
  printJson(summary)
  return spreads.length > 0 ? EXIT.ok : EXIT.untrusted
}

function distribution(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b)
  const quantile = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null
  return { median: quantile(0.5), p99: quantile(0.99), largest: sorted.at(-1) ?? null }
}
