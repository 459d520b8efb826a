import { expect, it } from 'vitest'
import { Planter, SUBJECTS } from './planted-mistakes.ts'

it('a mistake whose values are too large for F16 is found, not a crash of what tells F16 from float32', {
  timeout: 180_000,
}, () => {
  const planter = new Planter(SUBJECTS['haiku-nano-q8_0']!())
  const checkpoint = 'blk.3.ffn_norm'
  const planted = {
    subject: 'haiku-nano-q8_0',
    mistake: 'norm-missing',
    checkpoint,
    phase: 'prefill',
    activations: 'F64',
  } as const
  expect(planter.run(planted)).toMatchObject({ outcome: 'found', found: checkpoint, cause: 'norm-missing' })
})
