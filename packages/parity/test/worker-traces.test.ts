import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { EXIT, traceManifestSchema } from '@plumbline/protocol'
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { runParity } from './helpers/run-parity.ts'

const model = fileURLToPath(new URL('../../../models/haiku-nano/haiku-nano-q8_0.gguf', import.meta.url))
const worker = fileURLToPath(new URL('../../worker/bin/plumbline-worker.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'plumbline-worker-traces-'))
afterAll(() => rmSync(folder, { recursive: true }))

const traceArgs = (out: string, maxTokens: number, level = 'ops') => [
  ...[worker, 'trace', '--model', model, '--threads', '2', '--prompt-token-ids', '1022,450,268,10,276,275'],
  ...['--max-tokens', `${maxTokens}`, '--level', level, '--out', out],
]
const manifestIn = (out: string) =>
  traceManifestSchema.parse(JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8')))
const bytesIn = (file: string) => (existsSync(file) ? statSync(file).size : 0)

describe('a worker that is killed outright leaves a trace that is told to be truncated', () => {
  // As early as the folder is there, within the prompt, and at some time while it decodes.
  test.each([1, 20_000, 400_000, 900_000])('with %d bytes of tensors written', async (bytes) => {
    const out = join(folder, `killed-${bytes}`)
    const tracing = spawn(process.execPath, traceArgs(out, 1_500), { stdio: 'ignore', detached: true })
    const killGroup = () => process.kill(-tracing.pid!, 'SIGKILL')
    const ended = new Promise((resolve) => tracing.once('exit', resolve))
    onTestFinished(() => {
      if (tracing.exitCode === null && tracing.signalCode === null) killGroup()
    })
    await vi.waitFor(() => expect(bytesIn(join(out, 'tensors.bin'))).toBeGreaterThanOrEqual(bytes), {
      timeout: 60_000,
      interval: 1,
    })
    killGroup()
    await ended
    expect(manifestIn(out).closed).toBeUndefined()
    const validated = await runParity(['validate', out])
    expect(validated.stdout).toMatch(/truncated: .*the trace was never closed/)
    expect(validated.exitCode).toBe(4)
    const compared = await runParity(['compare', out, out])
    expect(compared.stdout).toMatch(/^UNTRUSTED CANDIDATE AND REFERENCE: /)
    expect(compared.exitCode).toBe(4)
  })
})

test.skipIf(process.platform === 'win32')(
  'where the disk takes no more, the generation goes on, and the trace says that it stopped and why',
  async () => {
    const tokens = async (out: string, limit: string, expectedCode: number) => {
      const words = traceArgs(out, 12).map((word) => `'${word}'`)
      // No file may grow beyond so many KiB: writing fails in the kernel, as on a full disk.
      const shell = `ulimit -f ${limit}; exec '${process.execPath}' ${words.join(' ')}`
      const run = promisify(execFile)('bash', ['-c', shell]).then((ended) => ({ ...ended, code: 0 }))
      const { code, stdout } = await run.catch((failed: { code: number; stdout: string }) => failed)
      expect(code).toBe(expectedCode)
      return JSON.parse(stdout).token_ids
    }
    const whole = join(folder, 'whole')
    const cut = join(folder, 'cut')
    const expected = await tokens(whole, 'unlimited', EXIT.ok)
    expect(expected).toHaveLength(12)
    expect(await tokens(cut, '200', EXIT.couldNotRun)).toEqual(expected)
    const { stopped, closed } = manifestIn(cut)
    expect(stopped).toBe('tensors.bin: File too large')
    expect(closed!.generated_token_ids).toEqual(expected)
    expect(closed!.records).toBeLessThan(manifestIn(whole).closed!.records)
    const { exitCode, stdout } = await runParity(['validate', cut])
    expect(stdout).toMatch(/truncated: .*the trace stopped early: tensors\.bin: File too large/)
    expect(exitCode).toBe(4)
    expect((await runParity(['validate', whole])).exitCode).toBe(0)
  },
)
