import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readSafetensors } from './read-safetensors.ts'

describe('readSafetensors', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'plumbline-safetensors-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const write = (header: object, data: Uint8Array): string => {
    const json = Buffer.from(JSON.stringify(header))
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(json.length))
    const path = join(folder, 'file.safetensors')
    writeFileSync(path, Buffer.concat([length, json, data]))
    return path
  }

  test('gives each tensor its shape and values, aligned or not', () => {
    const data = Buffer.concat([Buffer.from([7]), Buffer.from(Float32Array.of(1.5, -2).buffer)])
    const header = {
      __metadata__: { format: 'pt' },
      bytes: { dtype: 'U8', shape: [1], data_offsets: [0, 1] },
      floats: { dtype: 'F32', shape: [1, 2], data_offsets: [1, 9] },
    }
    const tensors = readSafetensors(write(header, data))
    expect([...tensors.keys()]).toEqual(['bytes', 'floats'])
    expect(tensors.get('bytes')).toEqual({ shape: [1], values: Uint8Array.of(7) })
    expect(tensors.get('floats')).toEqual({ shape: [1, 2], values: Float32Array.of(1.5, -2) })
  })

  test('refuses a type that it does not know, and a shape that is not that of the data', () => {
    const half = { t: { dtype: 'F16', shape: [1], data_offsets: [0, 2] } }
    expect(() => readSafetensors(write(half, new Uint8Array(2)))).toThrow('t is F16')
    const short = { t: { dtype: 'F32', shape: [2], data_offsets: [0, 4] } }
    expect(() => readSafetensors(write(short, new Uint8Array(4)))).toThrow('t has 1 values, its shape is [2]')
  })
})
