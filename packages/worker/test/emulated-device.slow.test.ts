import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { Execution } from './helpers/execute.ts'
import { STORIES_260K } from './helpers/models.ts'
import { isAlive, SpawnedWorker } from './helpers/spawn-worker.ts'

// The worker on the CUDA backend, whose kernels the emulator runs on the host (packages/cuda-core/native/test/emulator).

const core = fileURLToPath(new URL('../../cuda-core/', import.meta.url))
const serve = (environment: Record<string, string>) => {
  const args = ['--model', STORIES_260K, '--port', '0', '--device', 'emulator', '--context-length', '64']
  const worker = new SpawnedWorker([...args, '--engine-stall-sec', '600'], {
    PLUMBLINE_ADDON: `${core}build/emulated/plumbline_emulated.node`,
    ...environment,
  })
  onTestFinished(async () => void (await worker.stop()))
  return worker
}
const answer = (max_tokens: number) => ({
  job_id: 'emulated',
  prompt: 'Once upon a time',
  temperature: 0,
  ignore_eos: true,
  max_tokens,
})

beforeAll(() => {
  execFileSync(process.execPath, ['scripts/build-emulated.mjs'], { cwd: core, stdio: 'inherit' })
}, 1_800_000)

test('a GPU that is lost in the middle of a stream ends it with CUDA_ERROR, and a new engine process takes over', async () => {
  const worker = serve({ PLUMBLINE_EMULATOR_FAULT: '600' })
  await worker.waitFor('ready')
  const before = await worker.health()
  expect(before).toMatchObject({ device: 'emulator', backend: 'cuda:emulator', built_backends: ['cpu', 'emulator'] })

  const lost = await Execution.toEnd(worker.url, answer(50))
  expect(lost.tokens.length).toBeGreaterThan(0)
  expect(lost.tokens.length).toBeLessThan(50)
  expect(lost.terminals).toMatchObject([{ type: 'error', code: 'CUDA_ERROR', retriable: true }])

  const after = await worker.untilHealthy()
  expect(after.engine.restarts).toBe(1)
  expect(after.engine.pid).not.toBe(before.engine.pid)
  expect(isAlive(before.engine.pid!)).toBe(false)
  const next = await Execution.toEnd(worker.url, answer(1))
  expect(next.terminals).toMatchObject([{ type: 'end', stop_reason: 'MAX_TOKENS' }])
  expect(next.text).toBe(lost.tokens[0]!.t)
})

test('a model that does not fit the memory of the GPU is refused with the figures and what would fit', async () => {
  const worker = serve({ PLUMBLINE_EMULATOR_VRAM: '1300000' })
  expect((await worker.exited).code).toBe(5)
  const failed = worker.lines.at(-1)
  expect(failed).toMatchObject({ event: 'failed', code: 'INSUFFICIENT_VRAM' })
  expect(failed).toHaveProperty(
    'message',
    expect.stringMatching(
      /the model needs \d+ bytes on emulator \(weights \d+, KV cache for 64 positions \d+, workspace \d+\), but 1300000 of 1300000 are free: .* would fit/,
    ),
  )
})
