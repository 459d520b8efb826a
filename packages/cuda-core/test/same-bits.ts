import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { cpuVariants, evaluate } from '../src/testing.ts'

interface Run {
  readonly variant: string
  readonly threads: number
  /** Tokens evaluated at a time. */
  readonly chunk: number
  readonly checkpoints: boolean
}

const sha256 = (values: Float32Array) =>
  createHash('sha256')
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest('hex')

/**
 * Registers tests that an `exact` forward pass over the tokens gives the same bits however it is run: threads, chunks, kernel variants,
 * looked at or not.
 */
export function expectSameBits(modelPath: () => string, tokenIds: () => number[], variants = cpuVariants()): void {
  const run = (options: Run) =>
    evaluate({ modelPath: modelPath(), tokenIds: Uint32Array.from(tokenIds()), precision: 'exact', ...options })
  const logitsOf = (options: Run) => sha256(run(options).logits)
  let expected: string | undefined
  const same = (options: Run) => {
    expected ??= logitsOf({ variant: variants[0]!, threads: 1, chunk: 2 ** 20, checkpoints: false })
    return expect(logitsOf(options)).toBe(expected)
  }

  for (const variant of variants) {
    for (const threads of [1, 2, 4]) {
      test(`logits: ${variant}, ${threads} threads, chunks of 1, 7, 64 and all`, () => {
        for (const chunk of [1, 7, 64, 2 ** 20]) same({ variant, threads, chunk, checkpoints: false })
      })
    }
    test(`logits: ${variant}, with every checkpoint copied out`, () => {
      same({ variant, threads: 2, chunk: 7, checkpoints: true })
    })
  }

  test('every checkpoint: variants, threads and chunks', () => {
    const checkpointsOf = (options: Run) => {
      const hashes = new Map<string, ReturnType<typeof createHash>>()
      for (const { name, values } of run(options).checkpoints) {
        const hash = hashes.get(name) ?? createHash('sha256')
        hashes.set(name, hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)))
      }
      return [...hashes].map(([name, hash]) => [name, hash.digest('hex')])
    }
    const whole = checkpointsOf({ variant: variants[0]!, threads: 1, chunk: 2 ** 20, checkpoints: true })
    expect(whole.length).toBeGreaterThan(30)
    for (const variant of variants) {
      for (const [threads, chunk] of [
        [4, 1],
        [2, 7],
      ] as const) {
        expect(checkpointsOf({ variant, threads, chunk, checkpoints: true })).toEqual(whole)
      }
    }
  })
}
