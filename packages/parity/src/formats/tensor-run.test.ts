import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { committedAsset } from '@plumbline/protocol/testing'
import { expect, it } from 'vitest'
import { flatten, temporaryFolder } from '../../test/helpers/recordings.ts'
import { compare } from '../comparison/compare.ts'
import type { Recording } from '../recording/recording.ts'
import { openRecording } from './open-recording.ts'
import { writeRecording } from './write/write-recording.ts'

const original = committedAsset('stories260K/transformers/prompt-0.safetensors')
const sidecar = JSON.parse(readFileSync(original.replace('.safetensors', '.json'), 'utf8'))
const TOKENS = 5
const HEADED = /attn_(q|k|v|q_rope|k_rope|kqv)$/
const HEAD_LENGTH = 8

interface Header {
  [name: string]: { dtype: string; shape: number[]; data_offsets: [number, number] }
}

/** The reference with what has heads as [1, heads, tokens, dimensions] or without the batch, and the rest behind a batch of one. */
function reshaped(folder: string, shapeOf: (name: string, shape: number[]) => number[]): string {
  const bytes = readFileSync(original)
  const length = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Header
  const data = Buffer.from(bytes.subarray(8 + length))
  for (const [name, tensor] of Object.entries(header)) {
    if (name === '__metadata__') continue
    const shape = shapeOf(name, tensor.shape)
    if (HEADED.test(name) && shape.at(-2) === TOKENS) turn(data, tensor, shape.at(-3)!)
    tensor.shape = shape
  }
  const path = join(folder, 'prompt-0.safetensors')
  writeTensors(path, header, data)
  const { checkpoints: _, ...stated } = sidecar
  writeFileSync(join(folder, 'prompt-0.json'), JSON.stringify(stated))
  return path
}

function writeTensors(path: string, header: Header, data: Buffer): void {
  const text = Buffer.from(JSON.stringify(header))
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(text.length))
  writeFileSync(path, Buffer.concat([size, text, data]))
}

/** [tokens, heads, dimensions] to [heads, tokens, dimensions], in place. */
function turn(data: Buffer, { dtype, data_offsets: [from, to] }: Header[string], heads: number): void {
  const strip = (HEAD_LENGTH * Number(dtype.slice(1))) / 8
  const before = Buffer.from(data.subarray(from, to))
  for (let token = 0; token < TOKENS; token++) {
    for (let head = 0; head < heads; head++) {
      const at = (token * heads + head) * strip
      before.copy(data, from + (head * TOKENS + token) * strip, at, at + strip)
    }
  }
}

const headsFirst = (name: string, [tokens, width]: number[]) =>
  HEADED.test(name) ? [width! / HEAD_LENGTH, tokens!, HEAD_LENGTH] : [tokens!, width!]
const withBatch = (name: string, shape: number[]) => (name === 'ids' ? shape : [1, ...headsFirst(name, shape)])

it.each([
  ['[heads, tokens, dimensions]', headsFirst],
  ['[1, heads, tokens, dimensions]', withBatch],
])('a reference of %s equals the same one of [tokens, heads * dimensions]', async (_, shapeOf) => {
  const folder = temporaryFolder()
  const [turned, plain] = [await openRecording(reshaped(folder, shapeOf)), await openRecording(original)]
  expect(turned.faults).toEqual([])
  const { verdict, alignment } = compare(turned, plain, { profile: 'bit-exact' })
  expect(verdict.line).toMatch(/^SAME: all .* bit for bit/)
  expect(alignment.mappings).toContainEqual(expect.stringMatching(/^candidate: heads-tokens-to-tokens-heads\(attn_q, /))

  const converted = join(folder, 'converted.npz')
  await writeRecording(turned, 'npz', converted)
  expect(valuesOf(await openRecording(converted))).toEqual(valuesOf(plain))
})

it('does not guess which of two axes is that of the tokens', async () => {
  const path = join(temporaryFolder(), 'prompt-0.safetensors')
  const tensor = { dtype: 'F32', shape: [3, 3, 2], data_offsets: [0, 72] as [number, number] }
  writeTensors(path, { 'blk.0.attn_kqv': tensor }, Buffer.alloc(72, 1))
  writeFileSync(path.replace('.safetensors', '.json'), JSON.stringify({ ids: [1, 2, 3] }))
  const [fault] = (await openRecording(path)).faults
  expect(fault?.message).toBe(
    'blk.0.attn_kqv has shape [3, 3, 2], and more than one axis could be that of the 3 tokens',
  )
})

function valuesOf(recording: Recording) {
  return Object.values(flatten(recording)).map((rows) => rows.map(({ pos, values }) => [pos, values]))
}
