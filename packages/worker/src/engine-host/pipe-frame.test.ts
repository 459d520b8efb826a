import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeFrame, FRAME_KIND, type FrameKind, PipeFrameReader, PipeGarbageError } from './pipe-frame.ts'

function readAll(chunks: Buffer[]): [FrameKind, string][] {
  const frames: [FrameKind, string][] = []
  const reader = new PipeFrameReader((kind, payload) => frames.push([kind, payload.toString('hex')]))
  for (const chunk of chunks) reader.push(chunk)
  return frames
}

describe('PipeFrameReader', () => {
  const frame = fc.tuple(fc.constantFrom(FRAME_KIND.json, FRAME_KIND.tokens), fc.uint8Array({ maxLength: 40 }))

  test('gives back the frames that were written, however the bytes were cut', () => {
    fc.assert(
      fc.property(fc.array(frame), fc.array(fc.nat(60), { minLength: 1 }), (frames, cuts) => {
        const bytes = Buffer.concat(frames.map(([kind, payload]) => encodeFrame(kind, payload)))
        const chunks: Buffer[] = []
        for (let at = 0, cut = 0; at < bytes.length; cut++) {
          const size = 1 + cuts[cut % cuts.length]!
          chunks.push(bytes.subarray(at, at + size))
          at += size
        }
        expect(readAll(chunks)).toEqual(frames.map(([kind, payload]) => [kind, Buffer.from(payload).toString('hex')]))
      }),
    )
  })

  test.each([
    ['text', Buffer.from('Segmentation fault')],
    ['an unknown kind', Buffer.from([0x50, 0x4c, 9, 1, 0, 0, 0, 0])],
    ['another version', Buffer.from([0x50, 0x4c, 1, 2, 0, 0, 0, 0])],
    ['a length beyond all bounds', Buffer.from([0x50, 0x4c, 1, 1, 255, 255, 255, 255])],
    ['text after a frame', Buffer.concat([encodeFrame(FRAME_KIND.json, Buffer.from('{}')), Buffer.from('Killed..')])],
  ])('refuses %s', (_name, bytes) => {
    expect(() => readAll([bytes])).toThrow(PipeGarbageError)
    expect(() => readAll([...bytes].map((byte) => Buffer.from([byte])))).toThrow(PipeGarbageError)
  })
})
