import { describe, expect, test } from 'vitest'
import { MISTAKES } from '../src/mistakes/catalogue.ts'
import { UNLISTED_MISTAKES } from './fixtures/unlisted-mistakes.ts'
import { SUBJECTS } from './planted-mistakes.ts'
import { plantUnlisted } from './unlisted-mistakes.ts'

// On more models, and in every layer at once: unlisted-mistakes.slow.test.ts.

describe('mistakes that are not in the catalogue, under the noise of 8-bit activations', () => {
  test('are not in the catalogue', () => {
    const names = UNLISTED_MISTAKES.map(({ name }) => name)
    expect(new Set(names).size).toBeGreaterThanOrEqual(30)
    expect(MISTAKES.filter(({ name }) => names.includes(name))).toEqual([])
  })

  test('are all found at their op, however small', { timeout: 120_000 }, () => {
    for (const { mistake, checkpoint, exitCode, found, size } of plantUnlisted(SUBJECTS['stories260K-f32']!(), [
      'ops',
    ])) {
      expect([exitCode > 0, found], `${mistake}, of NMSE ${size}`).toEqual([true, checkpoint])
    }
  })
})
