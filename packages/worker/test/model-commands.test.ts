import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EXIT } from '@plumbline/protocol'
import { committedAsset } from '@plumbline/protocol/testing'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { FakeHub, sha256 } from './fake-hub.ts'

const MODEL = committedAsset('stories260K/stories260K-f32.gguf')
const NAME = 'qwen2.5-0.5b-instruct'
const PROGRAM = fileURLToPath(new URL('./fixtures/worker-from-source.ts', import.meta.url))

/** A models folder of its own, and a Hub that has stories260K under the name of a model that can be pulled. */
async function place() {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-models-'))
  const hub = new FakeHub(readFileSync(MODEL))
  await hub.start()
  onTestFinished(async () => {
    await hub.stop()
    rmSync(folder, { recursive: true })
  })
  const env = {
    PLUMBLINE_MODELS: folder,
    XDG_CACHE_HOME: join(folder, 'cache'),
    HF_ENDPOINT: hub.origin,
    NODE_OPTIONS: '',
  }
  const plumblineWorker = (...args: string[]) =>
    execa(process.execPath, ['--conditions=source', PROGRAM, ...args], { env, reject: false, timeout: 50_000 })
  return { hub, path: join(folder, `${NAME}-q8_0.gguf`), plumblineWorker }
}

test('a model is pulled, listed, inspected by its name, and refused once its file has changed', async () => {
  const { hub, path, plumblineWorker } = await place()

  const pulled = await plumblineWorker('pull', NAME)
  expect(pulled).toMatchObject({ exitCode: EXIT.ok })
  expect(pulled.stdout).toContain(sha256(hub.bytes))
  expect((await plumblineWorker('models')).stdout).toContain(path)

  const inspected = await plumblineWorker('inspect', NAME, '--json')
  expect(inspected).toMatchObject({ exitCode: EXIT.ok })
  expect(JSON.parse(inspected.stdout)).toMatchObject({ path, architecture: 'llama', fileBytes: hub.bytes.length })

  truncateSync(path, hub.bytes.length - 1)
  const refused = await plumblineWorker('inspect', NAME)
  expect(refused).toMatchObject({ exitCode: EXIT.untrusted, stdout: '' })
  expect(refused.stderr).toMatch(/^plumbline-worker: .*sha256.*\n?$/)
})

test('what cannot be pulled or inspected ends with one line and its exit code', async () => {
  const { hub, plumblineWorker } = await place()
  hub.published = {}
  expect(await plumblineWorker('pull', NAME)).toMatchObject({
    exitCode: EXIT.couldNotRun,
    stderr: expect.stringMatching(/^plumbline-worker: .*without the sha256.*$/),
  })
  expect(await plumblineWorker('pull', 'nothing')).toMatchObject({ exitCode: EXIT.usage })
  expect(await plumblineWorker('inspect', 'nothing')).toMatchObject({
    exitCode: EXIT.usage,
    stderr: 'plumbline-worker: MODEL is "nothing", must be the path of a GGUF file or the name of a model',
  })
})
