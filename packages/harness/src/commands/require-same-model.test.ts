import { EXIT } from '@plumbline/protocol'
import { expect, test } from 'vitest'
import { healthOf, subject } from '../../test/helpers/recorded.ts'
import { requireSameModel } from './require-same-model.ts'

test('a worker that runs another file is not measured: exit 3', () => {
  expect(() => requireSameModel(healthOf(), subject)).not.toThrow()
  for (const model_sha256 of ['b'.repeat(64), null]) {
    expect(() => requireSameModel(healthOf({ model_sha256 }), subject)).toThrow(
      expect.objectContaining({ exitCode: EXIT.notComparable }),
    )
  }
})
