import { describeWithAssets } from '@plumbline/protocol/testing'
import { describe, expect, test } from 'vitest'
import { COMMITTED_SUBJECTS, SUBJECTS } from './planted-mistakes.ts'
import { plantUnlisted } from './unlisted-mistakes.ts'

function findsAll(name: string): void {
  test.each([
    ['in the middle layer', false],
    ['in every layer', true],
  ])('are all found at their op, %s', { timeout: 600_000 }, (_, everywhere) => {
    for (const result of plantUnlisted(SUBJECTS[name]!(), ['ops'], everywhere)) {
      const { mistake, checkpoint, exitCode, found, size } = result
      expect([exitCode > 0, found], `${mistake}, of NMSE ${size}`).toEqual([true, checkpoint])
    }
  })
}

for (const name of Object.keys(SUBJECTS)) {
  const title = `mistakes that are not in the catalogue, in ${name} with 8-bit activations`
  if ((COMMITTED_SUBJECTS as readonly string[]).includes(name)) describe(title, () => findsAll(name))
  else describeWithAssets(describe, title, () => findsAll(name))
}
