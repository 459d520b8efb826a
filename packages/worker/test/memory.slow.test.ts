import { readFileSync, statSync } from 'node:fs'
import { asset, describeWithAssets } from '@plumbline/protocol/testing'
import { describe, expect, test } from 'vitest'
import { Execution } from './helpers/execute.ts'
import { HAIKU_NANO } from './helpers/models.ts'
import { realWorker } from './helpers/spawn-worker.ts'

/** Proportional set size, in bytes. */
function pss(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) * 1024
}

/** Both processes after a job, in bytes. */
async function memoryOf(model: string, contextLength: number): Promise<number> {
  const worker = await realWorker(model, ['--context-length', String(contextLength)])
  const { terminals } = await Execution.toEnd(worker.url, { job_id: 'x', prompt: 'Once', max_tokens: 50 })
  expect(terminals).toMatchObject([{ type: 'end' }])
  const { front_pid, engine } = await worker.health()
  return pss(front_pid) + pss(engine.pid!)
}

// 1.2 times the model file, the KV cache, three times the tokenizer's metadata, and 200 MB. With a short context, cache and
// metadata of these models are a few megabytes: left out here, which makes the limit a little stricter than it is.
const limit = (model: string) => 1.2 * statSync(model).size + 200e6

describe('both processes together hold little more than the model', () => {
  test('haiku-nano', async () => {
    expect(await memoryOf(HAIKU_NANO, 128)).toBeLessThan(limit(HAIKU_NANO))
  })
  describeWithAssets(describe, 'models in the assets folder', () => {
    test.each(['stories15M-q8_0', 'smollm2-135m-instruct-q4_1'])('%s', async (name) => {
      const model = asset(`models/${name}.gguf`)
      expect(await memoryOf(model, 128)).toBeLessThan(limit(model))
    })
  })
})
