import { committedAsset } from '@plumbline/protocol/testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type GgufFile, type GgufValue, readGguf } from '../gguf/read-gguf.ts'
import { roundActivations } from './activations.ts'
import { applyLinear } from './linear.ts'
import { loadModel } from './load-model.ts'

const stories = readGguf(committedAsset('stories260K/stories260K-f32.gguf'))
const model = loadModel(stories)
const ids = [1, 403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315, 421]
const whole = model.forward(ids)

function withMetadata(changes: Record<string, GgufValue>): GgufFile {
  return { ...stories, metadata: new Map([...stories.metadata, ...Object.entries(changes)]) }
}

function without(tensor: string): GgufFile {
  return { ...stories, tensors: new Map([...stories.tensors].filter(([name]) => name !== tensor)) }
}

describe('a session', () => {
  test('gives the same bits however the ids are cut into chunks', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: ids.length }), { maxLength: 4 }), (cuts) => {
        const session = model.newSession()
        const bounds = [...new Set([0, ...cuts, ids.length])].sort((a, b) => a - b)
        const rows = bounds.slice(1).flatMap((end, i) => session.append(ids.slice(bounds[i], end)))
        expect(rows).toEqual(whole)
      }),
    )
  })

  test('goes on from where it was truncated', () => {
    const session = model.newSession()
    session.append([...ids.slice(0, 4), 99, 98, 97])
    session.truncate(4)
    expect(session.length).toBe(4)
    expect(session.append(ids.slice(4))).toEqual(whole.slice(4))
  })

  test('refuses what does not fit, and stays usable', () => {
    const session = loadModel(stories, { maxContext: 4 }).newSession()
    session.append(ids.slice(0, 3))
    expect(() => session.append([1, 2])).toThrowError(expect.objectContaining({ code: 'CONTEXT_OVERFLOW' }))
    expect(session.append([ids[3]!])).toEqual([whole[3]])
  })

  test.each([-1, 512, 1.5, Number.NaN])('refuses token id %d', (id) => {
    expect(() => model.forward([1, id])).toThrowError(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })

  test('of nothing gives nothing', () => expect(model.newSession().append([])).toEqual([]))
})

test('rounded activations are what matrices of quantised weights read, and no others', () => {
  // blk.0.attn_q of Q8_0: a float16 scale of 1 / 16 and 32 quants a block.
  const bytes = Uint8Array.from({ length: (64 * 64 * 34) / 32 }, (_, i) => [0x00, 0x2c][i % 34] ?? (i * 37) % 256)
  const name = 'blk.0.attn_q.weight'
  const tensors = new Map([...stories.tensors, [name, { ...stories.tensors.get(name)!, type: 'Q8_0' as const }]])
  const tensorBytes = (tensor: string) => (tensor === name ? bytes : stories.tensorBytes(tensor))
  const mixed = loadModel({ ...stories, tensors, tensorBytes })
  const round = roundActivations(127, 16)
  const seen = new Map<string, Float64Array>()
  mixed.newSession({ activations: round }).append(ids, (checkpoint, _layer, _positions, _width, values) => {
    seen.set(checkpoint, values.slice())
  })
  const input = seen.get('blk.0.attn_norm')!
  const [{ attnQ, attnK }] = mixed.weights.layers as [(typeof mixed.weights.layers)[0]]
  expect(seen.get('blk.0.attn_q')).toEqual(applyLinear(attnQ, round(input, 64), ids.length))
  expect(seen.get('blk.0.attn_q')).not.toEqual(applyLinear(attnQ, input, ids.length))
  expect(seen.get('blk.0.attn_k')).toEqual(applyLinear(attnK, input, ids.length))
})

describe('loadModel refuses', () => {
  test.each([
    ['an unknown architecture', { 'general.architecture': 'mamba' }, 'UNSUPPORTED_ARCHITECTURE', 'mamba'],
    [
      'a name of Object.prototype',
      { 'general.architecture': 'constructor' },
      'UNSUPPORTED_ARCHITECTURE',
      'constructor',
    ],
    ['YaRN scaling', { 'llama.rope.scaling.type': 'yarn' }, 'UNSUPPORTED_ARCHITECTURE', 'yarn'],
    ['experts', { 'llama.expert_count': 8 }, 'UNSUPPORTED_ARCHITECTURE', 'experts'],
    ['a head count of 0', { 'llama.attention.head_count': 0 }, 'INVALID_GGUF', 'head_count'],
    ['heads that cannot share', { 'llama.attention.head_count_kv': 3 }, 'INVALID_GGUF', 'share 3'],
    ['a width that the tensors do not have', { 'llama.embedding_length': 72 }, 'INVALID_GGUF', 'token_embd.weight'],
    ['a head size that the tensors do not have', { 'llama.attention.key_length': 16 }, 'INVALID_GGUF', 'blk.0.attn_q'],
    ['more layers than there are', { 'llama.block_count': 6 }, 'INVALID_GGUF', 'blk.5.attn_norm.weight is missing'],
    ['fewer layers than there are', { 'llama.block_count': 4 }, 'INVALID_GGUF', 'no use for 9 tensors'],
    ['odd rotated dimensions', { 'llama.rope.dimension_count': 7 }, 'INVALID_GGUF', 'dimension_count'],
    ['a number that is a string', { 'llama.block_count': '5' }, 'INVALID_GGUF', 'llama.block_count'],
  ])('%s', (_, changes, code, message) => {
    const load = () => loadModel(withMetadata(changes as Record<string, GgufValue>))
    expect(load).toThrowError(expect.objectContaining({ code, message: expect.stringContaining(message) }))
  })

  test('a missing tensor', () => {
    expect(() => loadModel(without('blk.2.ffn_up.weight'))).toThrow('tensor blk.2.ffn_up.weight is missing')
  })
})

test('without output.weight the head is the token embedding', () => {
  const tied = loadModel(without('output.weight'))
  // stories260K's two matrices hold the same values.
  expect(tied.forward(ids)).toEqual(whole)
})
