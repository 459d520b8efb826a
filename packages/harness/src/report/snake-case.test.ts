import { expect, test } from 'vitest'
import { snakeCase } from './snake-case.ts'

test('keys change, values do not', () => {
  const value = { healthyMs: 1, exitCode: 0, model_sha256: 'aB', list: [{ someKey: 'camelCase' }], none: null }
  expect(snakeCase(value)).toEqual({
    healthy_ms: 1,
    exit_code: 0,
    model_sha256: 'aB',
    list: [{ some_key: 'camelCase' }],
    none: null,
  })
})
