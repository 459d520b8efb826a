import { committedAsset } from '@plumbline/protocol/testing'
import { expect, test } from 'vitest'
import { changedGguf, type Matrix, matrixOf } from '../../test/changed-gguf.ts'
import { type GgufValue, readGguf } from '../gguf/read-gguf.ts'
import { nmse } from '../nmse.ts'
import { loadModel, type ReferenceModel } from './load-model.ts'

// Variants of an architecture that no recorded model has, each held against stories260K itself: the same function,
// written with other weights.
const stories = readGguf(committedAsset('stories260K/stories260K-f32.gguf'))
const ids = [1, 403, 407, 261, 378, 432, 383, 286, 261, 376]
const original = loadModel(stories)
const expected = original.forward(ids)
const { layers, heads, kvHeads, keyLength, valueLength, embeddingLength } = original.config

function expectSameLogits(model: ReferenceModel) {
  for (const [position, row] of model.forward(ids).entries()) {
    expect(nmse(row, expected[position]!)).toBeLessThan(1e-20)
  }
}

/** The tensors of all layers with that name, each changed. */
function eachLayer(name: string, change: (matrix: Matrix, layer: number) => Matrix): [string, Matrix][] {
  return Array.from({ length: layers }, (_, layer) => {
    const full = `blk.${layer}.${name}`
    return [full, change(matrixOf(stories, full), layer)]
  })
}

/** Rows of a matrix at other places: row i of the result is row source(i), or zeros where that is undefined. */
function rows(
  { shape, values }: Matrix,
  count: number,
  source: (row: number) => number | undefined,
  scale = 1,
): Matrix {
  const columns = shape[0]!
  const result = new Float32Array(count * columns)
  for (let row = 0; row < count; row++) {
    const from = source(row)
    if (from === undefined) continue
    for (let i = 0; i < columns; i++) result[row * columns + i] = values[from * columns + i]! * scale
  }
  return { shape: [columns, count], values: result }
}

test('qwen2 with permuted rows and biases of zero is llama', () => {
  /** Half-split row of a head -> neighbour row. */
  const neighbour = (row: number) => {
    const inHead = row % keyLength
    const half = keyLength / 2
    return row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1)
  }
  const zeros = (length: number): Matrix => ({ shape: [length], values: new Float32Array(length) })
  const metadata: Record<string, GgufValue> = { 'general.architecture': 'qwen2' }
  for (const [key, value] of stories.metadata) {
    if (key.startsWith('llama.')) metadata[key.replace('llama.', 'qwen2.')] = value
  }
  const qwen2 = changedGguf(
    stories,
    metadata,
    new Map([
      ...eachLayer('attn_q.weight', (q) => rows(q, q.shape[1]!, neighbour)),
      ...eachLayer('attn_k.weight', (k) => rows(k, k.shape[1]!, neighbour)),
      ...Array.from({ length: layers }, (_, layer): [string, Matrix][] => [
        [`blk.${layer}.attn_q.bias`, zeros(heads * keyLength)],
        [`blk.${layer}.attn_k.bias`, zeros(kvHeads * keyLength)],
        [`blk.${layer}.attn_v.bias`, zeros(kvHeads * valueLength)],
      ]).flat(),
    ]),
  )
  expect(loadModel(qwen2).config.ropePairing).toBe('halves')
  expectSameLogits(loadModel(qwen2))

  const unbiased = { ...qwen2, tensors: new Map([...qwen2.tensors].filter(([name]) => name !== 'blk.3.attn_k.bias')) }
  expect(() => loadModel(unbiased)).toThrow('tensor blk.3.attn_k.bias is missing')
})

test('heads whose size is not width / heads: padded with zeros, the first dimensions rotated', () => {
  // The scores are divided by sqrt(4 * keyLength) instead of sqrt(keyLength), so q is doubled.
  const [wideKey, wideValue] = [4 * keyLength, 3 * valueLength]
  const padded = (length: number, wide: number) => (row: number) =>
    row % wide < length ? Math.floor(row / wide) * length + (row % wide) : undefined
  const model = loadModel(
    changedGguf(
      stories,
      { 'llama.attention.key_length': wideKey, 'llama.attention.value_length': wideValue },
      new Map([
        ...eachLayer('attn_q.weight', (q) => rows(q, heads * wideKey, padded(keyLength, wideKey), 2)),
        ...eachLayer('attn_k.weight', (k) => rows(k, kvHeads * wideKey, padded(keyLength, wideKey))),
        ...eachLayer('attn_v.weight', (v) => rows(v, kvHeads * wideValue, padded(valueLength, wideValue))),
        ...eachLayer('attn_output.weight', ({ values }) => {
          const source = padded(valueLength, wideValue)
          const width = heads * wideValue
          const wide = new Float32Array(embeddingLength * width)
          for (let i = 0; i < wide.length; i++) {
            const column = source(i % width)
            if (column !== undefined) wide[i] = values[Math.floor(i / width) * heads * valueLength + column]!
          }
          return { shape: [width, embeddingLength], values: wide }
        }),
      ]),
    ),
  )
  expect(model.config).toMatchObject({ keyLength: wideKey, valueLength: wideValue, ropeDimensions: keyLength })
  expectSameLogits(model)
})

test('llama with a bias on the values of the last layer: attention passes it on as it is', () => {
  const bias = Float32Array.from({ length: kvHeads * valueLength }, (_, i) => Math.sin(i))
  const name = `blk.${layers - 1}.attn_v.bias`
  const biased = loadModel(changedGguf(stories, {}, new Map([[name, { shape: [bias.length], values: bias }]])))
  const attention = (model: ReferenceModel) => {
    let result = new Float64Array(0)
    model.forward(ids, {
      checkpoint: (checkpoint, _layer, _positions, _width, values) => {
        if (checkpoint === `blk.${layers - 1}.attn_kqv`) result = values.slice()
      },
    })
    return result
  }
  const width = heads * valueLength
  const shifted = attention(original).map((value, i) => {
    const kvHead = Math.floor(Math.floor((i % width) / valueLength) / (heads / kvHeads))
    return value + bias[kvHead * valueLength + (i % valueLength)]!
  })
  expect(nmse(attention(biased), shifted)).toBeLessThan(1e-28)
})

test('linear RoPE scaling by 2 is factors of 2 for all frequencies, and not none', () => {
  const scaling = { 'llama.rope.scaling.type': 'linear', 'llama.rope.scaling.factor': 2 }
  const factors = { shape: [keyLength / 2], values: new Float32Array(keyLength / 2).fill(2) }
  const scaled = loadModel(changedGguf(stories, scaling, new Map())).forward(ids)
  const divided = loadModel(changedGguf(stories, {}, new Map([['rope_freqs.weight', factors]]))).forward(ids)
  expect(scaled).toEqual(divided)
  expect(nmse(scaled.at(-1)!, expected.at(-1)!)).toBeGreaterThan(1e-6)
})
