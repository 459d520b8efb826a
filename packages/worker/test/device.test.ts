import { expect, onTestFinished, test } from 'vitest'
import { STORIES_260K } from './helpers/models.ts'
import { SpawnedWorker } from './helpers/spawn-worker.ts'

const serve = (...args: string[]) => new SpawnedWorker(['--model', STORIES_260K, '--port', '0', ...args])

test('a GPU that is not there ends the worker with one line that says why', async () => {
  const worker = serve('--device', 'cuda:999')
  expect(await worker.exited).toEqual({ code: 5, signal: null })
  expect(worker.stderr).toMatch(
    /^plumbline-worker: --device is "cuda:999", must be [^\n]+: device cuda:999 cannot be used: [^\n]+\n$/,
  )
  expect(worker.stdout).toBe('')
})

test('the emulator is no device of what is shipped', async () => {
  const worker = serve('--device', 'emulator')
  expect(await worker.exited).toEqual({ code: 2, signal: null })
  expect(worker.stderr).toBe('plumbline-worker: --device is "emulator", must be auto, cpu or cuda:N\n')
})

test('/health says what the worker was built with and which device runs', async () => {
  const worker = serve('--device', 'cpu')
  onTestFinished(async () => void (await worker.stop()))
  await worker.waitFor('ready')
  const { built_backends, device, backend } = await worker.health()
  expect(built_backends![0]).toBe('cpu')
  for (const built of built_backends!.slice(1)) expect(built).toMatch(/^cuda \d+\.\d+ \(sm_80, sm_90a, compute_90\)$/)
  expect(device).toBe('cpu')
  expect(backend).toMatch(/^cpu:/)
})

test.each([
  ['cpu', /^cpu:\w+$/],
  ['auto', /^cpu:\w+ \(.+\)$/],
  ['cuda:999', /^device cuda:999 cannot be used: .+$/],
])('--print-config says what the worker was built with and what --device %s runs on', async (device, runs) => {
  const worker = serve('--device', device, '--print-config')
  expect(await worker.exited).toEqual({ code: 0, signal: null })
  const said = (what: string) => new RegExp(`^${what}: (.*)$`, 'm').exec(worker.stdout)?.[1]
  expect(said('built for')).toMatch(/^cpu(, cuda \d+\.\d+ \(.+\))?$/)
  expect(said('runs on')).toMatch(runs)
})
