import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WeightsFingerprint } from '@plumbline/protocol'
import { asset, committedAsset, describeWithAssets } from '@plumbline/protocol/testing'
import { dequantize, readGguf } from '@plumbline/reference'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { weightsFingerprint } from './weights-fingerprint.ts'

let cache: string
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'plumbline-fingerprint-'))
  onTestFinished(() => rmSync(cache, { recursive: true }))
  vi.stubEnv('XDG_CACHE_HOME', cache)
  onTestFinished(() => void vi.unstubAllEnvs())
})

/** By the reference's own reader and dequantisation. */
function expected(path: string): string {
  const gguf = readGguf(path)
  const fingerprint = new WeightsFingerprint()
  for (const { name, shape, type } of gguf.tensors.values()) {
    const count = shape.reduce((product, length) => product * length, 1)
    fingerprint.add(name, shape, dequantize(type, gguf.tensorBytes(name), count))
  }
  return fingerprint.digest()
}

describe('the weights fingerprint', () => {
  test.each([
    committedAsset('stories260K/stories260K-f32.gguf'),
    fileURLToPath(new URL('../../../../models/haiku-nano/haiku-nano-q8_0.gguf', import.meta.url)),
  ])('is that of the values that the reference reads, and remembered: %s', async (path) => {
    expect(await weightsFingerprint(path)).toBe(expected(path))
    expect(readdirSync(join(cache, 'plumbline', 'weights-fingerprint'))).toHaveLength(1)
  })

  test('rejects for what is no model', async () => {
    await expect(weightsFingerprint(fileURLToPath(import.meta.url))).rejects.toThrow()
    expect(readdirSync(cache)).toEqual([])
  })
})

describeWithAssets(describe, 'the weights fingerprint of models in K-quants and Q4_1', () => {
  test.each(['random-qwen2-q4_k_m', 'random-llama-q6_k', 'smollm2-135m-instruct-q4_1'])(
    '%s: is that of the values that the reference reads',
    { timeout: 120_000 },
    async (name) => {
      const path = asset(`models/${name}.gguf`)
      expect(await weightsFingerprint(path)).toBe(expected(path))
    },
  )
})
