import { expect, it } from 'vitest'
import { ERRORS, InvalidRequestError, PlumblineError } from './errors.ts'

it('knows every code that a stream or an answer may carry', () => {
  const contract =
    'INVALID_REQUEST MODEL_LOAD_FAILED INSUFFICIENT_VRAM VRAM_OOM CONTEXT_OVERFLOW CUDA_ERROR INFERENCE_TIMEOUT CANCELLED ENGINE_CRASHED ENGINE_STALLED OVERLOADED SHUTTING_DOWN INTERNAL'
  for (const code of contract.split(' ')) expect(Object.keys(ERRORS)).toContain(code)
})

it('renders an error as the body of an answer, without its fields', () => {
  const error = new PlumblineError('OVERLOADED', 'the queue is full (8 of 8)', { waiting: 8 })
  expect(error.toBody()).toEqual({ code: 'OVERLOADED', message: 'the queue is full (8 of 8)', retriable: true })
})

it('renders every field error of a bad request', () => {
  const errors = [{ field: 'top_k', constraint: 'minimum 0', message: 'too small' }]
  expect(new InvalidRequestError(errors).toBody()).toMatchObject({ code: 'INVALID_REQUEST', retriable: false, errors })
})

it('wraps what is thrown elsewhere as INTERNAL and keeps the cause', () => {
  const cause = new TypeError('x is undefined')
  expect(PlumblineError.from(cause)).toMatchObject({ code: 'INTERNAL', message: 'x is undefined', cause })
  const known = new PlumblineError('CANCELLED', 'cancelled')
  expect(PlumblineError.from(known)).toBe(known)
})
