import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PipeGarbageError } from './pipe-frame.ts'
import { decodeTokenBatch, encodeTokenBatch } from './token-batch.ts'

const uint32 = fc.nat(2 ** 32 - 1)
const double = fc.double({ noNaN: true })
const token = fc.oneof(
  fc.record({ index: uint32, id: uint32 }),
  fc.record({ index: uint32, id: uint32, logprob: double }),
  fc.record({
    index: uint32,
    id: uint32,
    logprob: double,
    top: fc.array(fc.record({ id: uint32, logprob: double }), { minLength: 1, maxLength: 20 }),
  }),
)

test('a batch is read as it was written', () => {
  fc.assert(
    fc.property(uint32, fc.array(token), (job, tokens) => {
      expect(decodeTokenBatch(encodeTokenBatch(job, tokens))).toEqual({ job, tokens })
    }),
  )
})

test('a batch that is cut short or goes on is garbage', () => {
  fc.assert(
    fc.property(fc.array(token, { minLength: 1 }), fc.nat(), (tokens, cut) => {
      const bytes = encodeTokenBatch(1, tokens)
      expect(() => decodeTokenBatch(bytes.subarray(0, cut % bytes.length))).toThrow(PipeGarbageError)
      expect(() => decodeTokenBatch(Buffer.concat([bytes, Buffer.from([0])]))).toThrow(PipeGarbageError)
    }),
  )
})
