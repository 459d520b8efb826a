import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EXIT } from '@plumbline/protocol'
import { committedAsset } from '@plumbline/protocol/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { CheckResult } from '../src/checkers/check.ts'
import { fixtureCommand, runHarness } from './helpers/run-harness.ts'

// The model is small enough for the reference to run it as a worker would: 260,000 parameters, 512 tokens of context. It writes
// stories, so what it makes is never the haiku asked for; `genuine` is what counts here.
const model = committedAsset('stories260K/stories260K-f32.gguf')

async function judged(fixture: string, ...args: string[]) {
  const command = ['haiku', '--model', model, '--worker-command', fixtureCommand(fixture), '--attempts', '1', '--json']
  const result = await runHarness([...command, ...args])
  if (result.stdout === '') throw new Error(`no verification; stderr: ${result.stderr}`)
  const verification = JSON.parse(result.stdout)
  const named = (verdict: string) =>
    (verification.genuine as CheckResult[]).filter((check) => check.verdict === verdict).map((check) => check.name)
  const haiku = verification.attempts[0].checks as CheckResult[]
  return { ...result, verification, failed: named('fail'), unmeasured: named('not measurable'), haiku }
}

describe('misbehaving workers fail, and the check that fails says why', { timeout: 120_000 }, () => {
  test('honest: the control passes all checks', async () => {
    const { verification, failed, unmeasured, artifacts } = await judged('honest')
    expect(failed).toEqual([])
    expect(unmeasured).toEqual([])
    expect(verification.verdicts).toEqual({ genuine: 'pass', haiku: 'fail' })
    expect(verification.exit_code).toBe(EXIT.judgedFailed)

    const [run] = readdirSync(join(artifacts, 'haiku'))
    const folder = join(artifacts, 'haiku', run!)
    for (const name of ['metrics_before.prom', 'metrics_after.prom', 'environment.json', 'worker.log', 'report.md']) {
      expect(existsSync(join(folder, name)), name).toBe(true)
    }
    expect(JSON.parse(readFileSync(join(folder, 'verification.json'), 'utf8'))).toEqual(verification)
    const transcript = readFileSync(join(folder, 'sse_transcript.ndjson'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const streams = transcript.filter((line) => line.request !== undefined)
    // On a busy machine the probe may have been made more than once; the last one counts.
    const [haiku, repeat, probe] = [streams[0], streams[1], streams.at(-1)]
    expect([haiku, repeat, probe].map(({ purpose }) => purpose)).toEqual(['haiku', 'repeat', 'probe'])
    const framesOf = ({ stream }: { stream: string }, event: string) =>
      transcript.filter((line) => line.stream === stream && line.event === event)
    // The end-of-sequence token is drawn too, and has no event.
    const drawsOf = (stream: { stream: string }) =>
      framesOf(stream, 'token').length + (JSON.parse(framesOf(stream, 'end')[0].data).stop_reason === 'EOS' ? 1 : 0)
    const [haikuReplay, probeReplay] = verification.replays
    expect([haiku, repeat, probe].map(drawsOf)).toEqual([haikuReplay.draws, haikuReplay.draws, probeReplay.draws])
    expect(framesOf(probe, 'token').every((line) => typeof line.ms === 'number')).toBe(true)
    // What the verdict on the probe rests on, beside the arrivals.
    expect(transcript.find((line) => line.kind === 'close' && line.stream === probe.stream).engine_cpu).toContainEqual({
      ms: expect.any(Number),
      cpu_ms: expect.any(Number),
    })
    // Nothing tells a worker which of its streams is which.
    expect(new Set(streams.map(({ stream }) => stream)).size).toBe(streams.length)
    for (const { stream } of streams) expect(stream).toMatch(/^[0-9a-f]{32}$/)
    const exit = JSON.parse(readFileSync(join(folder, 'worker_exit.json'), 'utf8'))
    expect(exit.processes.map((process: { role: string; gone: boolean }) => [process.role, process.gone])).toEqual([
      ['front', true],
      ['engine', true],
    ])
  })

  test('a canned haiku: replay', async () => {
    const { failed, exitCode, haiku } = await judged('canned-haiku')
    expect(failed).toContain('replay')
    expect(haiku).toMatchObject([
      { name: 'words', verdict: 'fail' },
      { name: 'three-lines', verdict: 'pass' },
    ])
    expect(exitCode).toBe(EXIT.judgedFailed)
  })

  test('words pasted into lines by the training generator: a flawless haiku, and replay fails', async () => {
    const { failed, exitCode, verification } = await judged('pasted-words')
    expect(failed).toContain('replay')
    expect(verification.verdicts).toEqual({ genuine: 'fail', haiku: 'pass' })
    expect(exitCode).toBe(EXIT.judgedFailed)
  })

  test('everything in one burst: stream-probe', async () => {
    const { failed, exitCode } = await judged('one-burst')
    expect(failed).toEqual(['stream-probe'])
    expect(exitCode).toBe(EXIT.judgedFailed)
  })

  test('no terminal event: event-order', async () => {
    const { failed, exitCode, verification } = await judged('no-terminal-event')
    expect(failed).toEqual(['event-order'])
    expect(verification.diagnosis.cause).toContain('without a terminal event')
    expect(exitCode).toBe(EXIT.judgedFailed)
  })

  test('no terminal event, and no end of the body either: event-order, within the deadline', async () => {
    const { failed, verification } = await judged('silent-stream', '--stream-timeout', '3')
    expect(failed).toEqual(['event-order'])
    expect(verification.diagnosis.cause).toContain('the harness hung up')
  })

  test('connection closed mid-stream: event-order, and the diagnosis says so', async () => {
    const { failed, exitCode, verification } = await judged('connection-closed')
    expect(failed).toEqual(['event-order'])
    expect(verification.diagnosis.cause).toContain('the connection closed mid-stream')
    expect(verification.attempts).toHaveLength(1)
    expect(exitCode).toBe(EXIT.judgedFailed)
  })

  test('a worker that dies mid-stream: event-order, with its exit and its last words', async () => {
    const { failed, exitCode, verification } = await judged('dies-mid-stream')
    expect(failed).toContain('event-order')
    expect(verification.diagnosis.cause).toContain('the worker ended (exit code 9)')
    expect(verification.diagnosis.log_tail.join('\n')).toContain('the flux capacitor gave up')
    expect(exitCode).toBe(EXIT.judgedFailed)
  })

  test("tokens that don't match the text: text", async () => {
    const { failed, exitCode } = await judged('other-text')
    expect(failed).toEqual(['text'])
    expect(exitCode).toBe(EXIT.judgedFailed)
  })

  test('the whole answer made first, and then sent token by token: stream-probe, by the CPU time', async () => {
    const { failed, exitCode, verification } = await judged('made-first')
    expect(failed).toEqual(['stream-probe'])
    const { seen } = verification.genuine.find(({ name }: CheckResult) => name === 'stream-probe')
    // The arrivals alone would have passed.
    expect(Number(/in (\d+) of 20 slices/.exec(seen)![1])).toBeGreaterThanOrEqual(10)
    expect(exitCode).toBe(EXIT.judgedFailed)
  })

  test('a tail that was tampered with: replay, however little time there is for it', async () => {
    const { failed, exitCode } = await judged('tampered-tail', '--replay-seconds', '0.001')
    expect(failed).toEqual(['replay'])
    expect(exitCode).toBe(EXIT.judgedFailed)
  })

  test('another process that computes, while /health names an idle engine and a GPU: process', async () => {
    const { failed, exitCode } = await judged('computes-elsewhere')
    expect(failed).toContain('process')
    expect(exitCode).toBe(EXIT.judgedFailed)
  })

  test('another model written into the very file that was given: model-file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'plumbline-harness-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const copy = join(folder, 'to-be-overwritten.gguf')
    copyFileSync(model, copy)
    const { failed, exitCode } = await judged('swapped-model', '--model', copy)
    expect(failed).toEqual(['model-file'])
    expect(exitCode).toBe(EXIT.judgedFailed)
  })

  test('another model of the same architecture behind the claimed name: replay', async () => {
    const { failed, exitCode } = await judged('other-model')
    expect(failed).toEqual(['replay'])
    expect(exitCode).toBe(EXIT.judgedFailed)
  })
})
