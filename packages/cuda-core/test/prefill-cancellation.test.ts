import { asset, describeWithAssets } from '@plumbline/protocol/testing'
import { describe, expect, test } from 'vitest'
import { Engine, type GenerateResult } from '../src/index.ts'
import { generate, job, loadOptions } from './generate.ts'

describeWithAssets(describe, 'smollm2-135m', () => {
  test('a job that is cancelled in prefill stops between two layers, and the next starts clean', async () => {
    const engine = await Engine.load({ ...loadOptions, modelPath: asset('models/smollm2-135m-instruct-q4_1.gguf') })
    const short = { promptTokenIds: Uint32Array.of(504, 2353, 282), maxTokens: 3 }
    const before = await generate(engine, short)

    const start = engine.progress().counter
    const promptTokenIds = Uint32Array.from({ length: 256 }, (_, index) => 1_000 + index)
    const result = await new Promise<GenerateResult>((resolve) => {
      const running = engine.generate(
        { ...job, promptTokenIds, prefillChunk: promptTokenIds.length },
        { onTokens() {}, onDone: resolve },
      )
      const watch = setInterval(() => {
        if (engine.progress().counter === start) return
        clearInterval(watch)
        running.cancel()
      }, 5)
    })
    expect(result).toMatchObject({ stopReason: 'CANCELLED', tokens: 0 })
    expect(engine.progress().counter - start).toBeLessThan(engine.info.layers)

    expect((await generate(engine, short)).tokens).toEqual(before.tokens)
    await engine.dispose()
  })
})
