import { EXIT, PlumblineError } from '@plumbline/protocol'
import { expect, test } from 'vitest'
import { usageError } from '../command-error.ts'
import { WorkerFailure } from '../worker-process/worker-failure.ts'
import { describeFailure } from './describe-failure.ts'

test.each([
  [usageError('--model is x'), EXIT.usage, '--model is x'],
  [new PlumblineError('INVALID_GGUF', 'the magic is GIF8'), EXIT.couldNotRun, 'INVALID_GGUF: the magic is GIF8'],
  [new WorkerFailure('unreachable', 'nobody answers'), EXIT.couldNotRun, 'nobody answers'],
  [new TypeError('x is not a function'), EXIT.couldNotRun, 'plumbline-harness failed: TypeError: x is not a function'],
])('%s', (error, exitCode, cause) => {
  expect(describeFailure(error)).toMatchObject({ exitCode, diagnosis: { cause } })
})

test('what nobody expected comes with its stack', () => {
  expect(describeFailure(new Error('boom')).diagnosis.logTail.join('\n')).toContain('describe-failure.test.ts')
})
