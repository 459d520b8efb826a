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

/** As long as a prompt may be: encoded in full, whether or not there is room for it. */
const longPrompt = (n: number) =>
  `${n} The quick brown fox, née 1234, jumps over “the lazy dog”. `.repeat(1_000).slice(0, 32_768)

/** Both processes in bytes: after a job, and after ten of the longest prompts. */
async function memoryOf(model: string): Promise<[afterJob: number, afterLongPrompts: number]> {
  const worker = await realWorker(model, ['--context-length', '128'])
  const { front_pid, engine } = await worker.health()
  const memory = () => pss(front_pid) + pss(engine.pid!)
  const { terminals } = await Execution.toEnd(worker.url, { job_id: 'x', prompt: 'Once', max_tokens: 50 })
  expect(terminals).toMatchObject([{ type: 'end' }])
  const afterJob = memory()
  for (let n = 0; n < 10; n++) {
    const long = Execution.start(worker.url, { job_id: 'x', prompt: longPrompt(n) })
    await expect(long).rejects.toThrow('CONTEXT_OVERFLOW')
  }
  return [afterJob, memory()]
}

// 1.2 times the model file, the KV cache, three times the tokenizer's metadata, and 200 MB. With a short context, cache and
// metadata of these models are a few megabytes: left out here, which makes the limit a little stricter than it is.
const limit = (model: string) => 1.2 * statSync(model).size + 200e6

describe('both processes together hold little more than the model', () => {
  test('haiku-nano', async () => {
    for (const memory of await memoryOf(HAIKU_NANO)) expect(memory).toBeLessThan(limit(HAIKU_NANO))
  }, 240_000)
  describeWithAssets(describe, 'models in the assets folder', () => {
    test.each(['stories15M-q8_0', 'smollm2-135m-instruct-q4_1'])(
      '%s',
      async (name) => {
        const model = asset(`models/${name}.gguf`)
        for (const memory of await memoryOf(model)) expect(memory).toBeLessThan(limit(model))
      },
      240_000,
    )
  })
})
