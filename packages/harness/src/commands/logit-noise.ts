import { EXIT, type ExitCode } from '@plumbline/protocol'
import { logProbabilities } from '@plumbline/reference'
import { makeChallenge } from '../challenge/challenge.ts'
import { challengeRequest } from '../evidence/gather.ts'
import { promptTokenIds } from '../evidence/subject.ts'
import type { WorkerOptions } from '../options.ts'
import { recordStream } from '../probes/record-stream.ts'
import { viewStream } from '../probes/stream-view.ts'
import { writeJson } from '../report/artifacts.ts'
import type { Progress } from '../report/progress.ts'
import { snakeCase } from '../report/snake-case.ts'
import { prepareRun, withMeasuredWorker } from './prepare-run.ts'

export interface LogitNoiseOptions extends WorkerOptions {
  readonly streams: number
  readonly tokens: number
}

/** How many of the likeliest tokens are compared at each place: the ones that are ever drawn. */
const TOP = 20

/**
 * `plumbline-harness logit-noise`: for each place of many answers, the spread (largest less smallest) of
 * log-probability(worker) - log-probability(reference) over the 20 likeliest tokens. A constant offset changes no
 * draw; the spread is by how much the difference of two logits is off, which is what the replay has to tolerate.
 */
export async function logitNoiseCommand(
  options: LogitNoiseOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<ExitCode> {
  const prepared = await prepareRun('logit-noise', options, progress, signal)
  const { subject, folder } = prepared
  const spreads: number[] = []
  let precision: string | undefined
  await withMeasuredWorker(prepared, progress, async ({ endpoint, health }) => {
    precision = health.health?.precision
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
        body: { ...body, max_tokens: options.tokens, ignore_eos: true, logprobs: TOP },
        timeoutMs: options.streamTimeout * 1000,
        signal,
      })
      const { tokens, tokenIds } = viewStream(stream)
      const session = subject.model().newSession()
      let row = session.append(promptTokenIds(subject, body)).at(-1)
      for (const [index, token] of tokens.entries()) {
        const reference = logProbabilities(row!)
        const off = (token.top ?? []).map(({ token_id, logprob }) => logprob - reference[token_id]!)
        if (off.length > 1) spreads.push(Math.max(...off) - Math.min(...off))
        ;[row] = session.append([tokenIds[index]!])
      }
    }
  })
  const sorted = spreads.toSorted((a, b) => a - b)
  const quantile = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null
  const summary = {
    model: subject.path,
    precision,
    places: sorted.length,
    median: quantile(0.5),
    p99: quantile(0.99),
    largest: sorted.at(-1) ?? null,
  }
  await writeJson(folder, 'summary.json', summary)
  process.stdout.write(`${JSON.stringify(snakeCase(summary), null, 2)}\n`)
  return sorted.length > 0 ? EXIT.ok : EXIT.untrusted
}
