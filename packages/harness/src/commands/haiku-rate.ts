import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { countSyllables, linesOf } from '@plumbline/haiku-nano'
import { EXIT, type ExitCode } from '@plumbline/protocol'
import { makeChallenge } from '../challenge/challenge.ts'
import { runChecks } from '../checkers/check.ts'
import { HAIKU_CHECKS } from '../checkers/haiku.ts'
import { challengeRequest } from '../evidence/gather.ts'
import type { WorkerOptions } from '../options.ts'
import { recordStream } from '../probes/record-stream.ts'
import { viewStream } from '../probes/stream-view.ts'
import { writeJson } from '../report/artifacts.ts'
import type { Progress } from '../report/progress.ts'
import { snakeCase } from '../report/snake-case.ts'
import { prepareRun, withMeasuredWorker } from './prepare-run.ts'

export interface HaikuRateOptions extends WorkerOptions {
  readonly challenges: number
}

interface Answer {
  readonly prompt: string
  readonly text: string
  readonly seed: string
  readonly words: boolean
  readonly threeLines: boolean
  readonly fiveSevenFive: boolean
}

/**
 * `plumbline-harness haiku-rate`: how often the model meets a fresh challenge at its first attempt. It measures the model, not the
 * worker: nothing here says that an answer is genuine.
 */
export async function haikuRateCommand(
  options: HaikuRateOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<ExitCode> {
  const prepared = await prepareRun('haiku-rate', options, progress, signal)
  const { subject, folder } = prepared
  const answers: Answer[] = []
  let unfinished = 0
  await withMeasuredWorker(prepared, progress, async ({ endpoint }) => {
    for (let number = 1; number <= options.challenges && !signal.aborted; number++) {
      progress.show('asking for haiku', `${number} of ${options.challenges}`)
      // Any minute of the hour, not only the one or two that the measurement takes.
      const challenge = makeChallenge(subject.wording, new Date(Date.UTC(2000, 0, 1, 0, (number * 37) % 60)))
      const stream = await recordStream({
        endpoint,
        purpose: 'haiku',
        attempt: 1,
        body: challengeRequest(subject, challenge),
        timeoutMs: options.streamTimeout * 1000,
        signal,
      })
      const { text, end } = viewStream(stream)
      if (end === undefined) {
        unfinished++
        continue
      }
      const passed = new Set(
        runChecks(HAIKU_CHECKS, { challenge, stream }).flatMap(({ name, verdict }) =>
          verdict === 'pass' ? [name] : [],
        ),
      )
      answers.push({
        prompt: challenge.prompt,
        text,
        seed: challenge.seed,
        words: passed.has('words'),
        threeLines: passed.has('three-lines'),
        fiveSevenFive: linesOf(text).map(countSyllables).join('-') === '5-7-5',
      })
    }
  })
  const rate = (holds: (answer: Answer) => boolean) =>
    answers.length === 0 ? null : answers.filter(holds).length / options.challenges
  const summary = {
    challenges: options.challenges,
    unfinished,
    model: { path: subject.path, sha256: subject.file.sha256 },
    words: rate((answer) => answer.words),
    threeLines: rate((answer) => answer.threeLines),
    fiveSevenFive: rate((answer) => answer.fiveSevenFive),
    distinct: new Set(answers.map((answer) => answer.text.trim().toLowerCase())).size,
    answers: join(folder, 'answers.ndjson'),
  }
  const lines = answers.map((answer) => `${JSON.stringify(snakeCase(answer))}\n`)
  await writeFile(summary.answers, lines.join(''))
  await writeJson(folder, 'summary.json', summary)
  process.stdout.write(`${JSON.stringify(snakeCase(summary), null, 2)}\n`)
  return answers.length === options.challenges ? EXIT.ok : EXIT.couldNotRun
}
