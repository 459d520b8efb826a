import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import { PlumblineError } from '@plumbline/protocol'
import { committedAsset } from '@plumbline/protocol/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type BuiltGguf,
  buildGguf,
  builtSource,
  f32,
  join,
  string,
  u8,
  u32,
  u64,
  VALUE_TYPE,
} from '../../test/gguf-builder.ts'
import { loadModel } from '../model/load-model.ts'
import { loadTokenizer } from '../tokenizer/tokenizer.ts'
import { bytesOf } from './byte-source.ts'
import { parseGguf, readGguf } from './read-gguf.ts'

const F32 = 0
const Q8_0 = 8
const Q2_K = 10
const tensor = (name: string, offset: number | bigint, shape: (number | bigint)[] = [8], type = F32) => ({
  name,
  shape,
  type,
  offset,
})
/** An array's element type, length and elements. */
const array = (type: number, ...elements: Uint8Array[]) => join(u32(type), u64(elements.length), ...elements)

describe('readGguf', () => {
  test('reads a real file: metadata, tensor table, data', () => {
    const gguf = readGguf(committedAsset('stories260K/stories260K-f32.gguf'))
    expect(gguf.version).toBe(3)
    expect(gguf.metadata.get('general.architecture')).toBe('llama')
    expect(gguf.metadata.get('llama.block_count')).toBe(5)
    expect((gguf.metadata.get('tokenizer.ggml.tokens') as string[]).slice(0, 4)).toEqual([
      '<unk>',
      '<s>',
      '</s>',
      '<0x00>',
    ])
    expect(gguf.tensors.size).toBe(48)
    expect(gguf.tensors.get('blk.0.ffn_down.weight')).toMatchObject({ shape: [172, 64], type: 'F32', nbytes: 44_032 })
    expect(gguf.tensorBytes('blk.0.ffn_down.weight').length).toBe(44_032)
  })

  test('reads every type of value, and versions 2 and 3 alike', () => {
    const metadata: BuiltGguf['metadata'] = [
      ['u8', 0, u8(200)],
      ['i8', 1, u8(200)],
      ['u16', 2, Uint8Array.of(0xff, 0xff)],
      ['i16', 3, Uint8Array.of(0xff, 0xff)],
      ['u32', 4, u32(0xffffffff)],
      ['i32', 5, u32(0xffffffff)],
      ['f32', 6, f32(0.5)],
      ['bool', 7, u8(1)],
      ['string', 8, string('\ufeffWiesenbachläufer 🦙')],
      ['array', 9, array(8, string('a'), string(''))],
      ['u64', 10, u64(2n ** 64n - 1n)],
      ['i64', 11, u64(2n ** 64n - 1n)],
      ['f64', 12, new Uint8Array(Float64Array.of(0.1).buffer)],
    ]
    for (const version of [2, 3]) {
      const gguf = parseGguf(builtSource({ version, metadata }))
      expect(Object.fromEntries(gguf.metadata)).toEqual({
        u8: 200,
        i8: -56,
        u16: 65_535,
        i16: -1,
        u32: 4_294_967_295,
        i32: -1,
        f32: 0.5,
        bool: true,
        string: '\ufeffWiesenbachläufer 🦙',
        array: ['a', ''],
        u64: 2n ** 64n - 1n,
        i64: -1,
        f64: 0.1,
      })
    }
  })

  test('places tensors by the alignment that the file names', () => {
    const gguf = parseGguf(
      builtSource({
        alignment: 128,
        metadata: [['general.alignment', VALUE_TYPE.u32, u32(128)]],
        tensors: [tensor('b', 128), tensor('a', 0)],
        data: join(new Uint8Array(128), new Uint8Array(32).fill(7)),
      }),
    )
    expect(gguf.tensorBytes('b')).toEqual(new Uint8Array(32).fill(7))
    expect(gguf.tensors.get('b')!.offset % 128).toBe(0)
  })

  test('a tensor that is not there is a typed error', () => {
    expect(() => parseGguf(builtSource({})).tensorBytes('a')).toThrow('tensor a is missing')
  })
})

describe('a damaged file is INVALID_GGUF, which names the field', () => {
  const two = (a: ReturnType<typeof tensor>, b: ReturnType<typeof tensor>): BuiltGguf => ({
    tensors: [a, b],
    data: new Uint8Array(128),
  })
  const one = (changed: ReturnType<typeof tensor>): BuiltGguf => ({ tensors: [changed], data: new Uint8Array(128) })
  const value = (type: number, bytes: Uint8Array): BuiltGguf => ({ metadata: [['key', type, bytes]] })
  const aligned = (type: number, bytes: Uint8Array): BuiltGguf => ({ metadata: [['general.alignment', type, bytes]] })

  test.each<[string, BuiltGguf, string]>([
    ['magic', { magic: 'GGML' }, "magic at byte 0: is 0x4c4d4747, must be 'GGUF'"],
    ['version 1', { version: 1 }, 'version at byte 4: is 1, must be 2 or 3, convert'],
    ['big-endian', { version: 3 * 2 ** 24 }, 'big-endian'],
    ['a version to come', { version: 4 }, 'must be 2 or 3'],
    ['a huge tensor count', { tensorCount: 2n ** 63n }, 'tensor_count at byte 8'],
    ['a tensor count beyond the file', { tensorCount: 9 }, 'tensor_count at byte 8: is 9'],
    ['a huge metadata count', { metadataCount: 2n ** 64n - 1n }, 'metadata_kv_count at byte 16'],
    ['an empty key', { metadata: [['', 0, u8(0)]] }, 'metadata key 0'],
    ['a key that is too long', { metadata: [['k'.repeat(65_536), 0, u8(0)]] }, 'metadata key 0'],
    ['a key that is not UTF-8', { metadata: [[Uint8Array.of(0xff), 0, u8(0)]] }, 'is not UTF-8'],
    [
      'a key twice',
      {
        metadata: [
          ['a', 0, u8(0)],
          ['a', 0, u8(0)],
        ],
      },
      'a at byte',
    ],
    ['an unknown value type', value(13, u8(0)), 'key at byte'],
    ['a boolean that is 2', value(VALUE_TYPE.bool, u8(2)), 'a boolean is 2'],
    ['a string beyond the file', value(VALUE_TYPE.string, u64(1000)), 'key (length)'],
    ['a string of 2^64 - 1 bytes', value(VALUE_TYPE.string, u64(2n ** 64n - 1n)), 'key (length)'],
    ['a string that is not UTF-8', value(VALUE_TYPE.string, string(Uint8Array.of(0xc3, 0x28))), 'is not UTF-8'],
    ['an array of arrays', value(VALUE_TYPE.array, array(VALUE_TYPE.array)), 'array of arrays'],
    ['an array of an unknown type', value(VALUE_TYPE.array, array(99)), 'value type 99'],
    ['an array beyond the file', value(VALUE_TYPE.array, join(u32(4), u64(2n ** 60n))), 'key (array length)'],
    ['an alignment of 0', aligned(VALUE_TYPE.u32, u32(0)), 'general.alignment is 0'],
    ['an alignment of 48', aligned(VALUE_TYPE.u32, u32(48)), 'general.alignment is 48'],
    ['an alignment in words', aligned(VALUE_TYPE.string, string('32')), 'general.alignment is 32, must be'],
    ['a tensor without a name', one(tensor('', 0)), 'tensor 0 (name)'],
    ['a tensor name that is too long', one(tensor('n'.repeat(64), 0)), 'tensor 0 (name)'],
    ['rank 0', one(tensor('a', 0, [])), 'has rank 0'],
    ['rank 5', one(tensor('a', 0, [1, 1, 1, 1, 1])), 'has rank 5'],
    ['a dimension of 0', one(tensor('a', 0, [8, 0])), 'which is no size'],
    ['a size that overflows', one(tensor('a', 0, [2n ** 32n, 2n ** 32n])), 'which is no size'],
    ['rows that are no whole blocks', one(tensor('a', 0, [33], Q8_0)), 'must be a multiple of Q8_0'],
    ['a misaligned tensor', one(tensor('a', 8)), 'must be a multiple of 32'],
    ['a tensor beyond the file', one(tensor('a', 128)), 'the file has'],
    ['an offset of 2^64 - 32', one(tensor('a', 2n ** 64n - 32n)), 'the file has'],
    ['a name twice', two(tensor('a', 0), tensor('a', 32)), 'twice'],
    ['overlapping tensors', two(tensor('a', 0, [16]), tensor('b', 32)), 'overlaps a'],
  ])('%s', (_, gguf, message) => {
    const read = () => parseGguf(builtSource(gguf))
    expect(read).toThrowError(
      expect.objectContaining({ code: 'INVALID_GGUF', message: expect.stringContaining(message) }),
    )
  })

  test('a type that is not supported is named with its tensor', () => {
    const read = () => parseGguf(builtSource(one(tensor('output.weight', 0, [256], Q2_K))))
    expect(read).toThrowError(
      expect.objectContaining({
        code: 'UNSUPPORTED_TENSOR_TYPE',
        message: expect.stringContaining('output.weight is of type Q2_K'),
      }),
    )
  })
})

describe('files', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(joinPath(tmpdir(), 'plumbline-gguf-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  test('that are not there, or folders', () => {
    expect(() => readGguf(joinPath(folder, 'none'))).toThrowError(expect.objectContaining({ code: 'MODEL_NOT_FOUND' }))
    expect(() => readGguf(folder)).toThrowError(expect.objectContaining({ code: 'MODEL_NOT_FOUND' }))
  })

  test('that become shorter after they were opened', () => {
    const path = joinPath(folder, 'model.gguf')
    const bytes = buildGguf({ tensors: [tensor('a', 0)], data: new Uint8Array(32) })
    writeFileSync(path, bytes)
    const gguf = readGguf(path)
    writeFileSync(path, bytes.subarray(0, -8))
    expect(() => gguf.tensorBytes('a')).toThrow('became shorter')
  })
})

describe('whatever the bytes, there is nothing but a typed error', () => {
  const good = new Uint8Array(readFileSync(committedAsset('stories260K/stories260K-f32.gguf')))
  // Where the tensor data begins: all before it is structure.
  const headerLength = Math.min(...[...parseGguf(bytesOf(good)).tensors.values()].map((entry) => entry.offset))

  const survives = (bytes: Uint8Array<ArrayBuffer>) => {
    try {
      const gguf = parseGguf(bytesOf(bytes))
      loadTokenizer(gguf)
      loadModel(gguf)
    } catch (error) {
      if (!(error instanceof PlumblineError)) throw error
    }
  }

  test('cut off anywhere in the header', () => {
    fc.assert(
      fc.property(fc.nat(headerLength - 1), (length) => {
        expect(() => parseGguf(bytesOf(good.slice(0, length)))).toThrow(PlumblineError)
      }),
      { numRuns: 300 },
    )
  })

  test('with bytes changed in the header', () => {
    const mutation = fc.tuple(fc.nat(headerLength - 1), fc.integer({ min: 0, max: 255 }))
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        const bytes = good.slice()
        for (const [at, byte] of mutations) bytes[at] = byte
        survives(bytes)
      }),
      { numRuns: 300 },
    )
  })

  test('with bytes changed where the structure is densest', () => {
    const small = buildGguf({
      metadata: [
        ['general.architecture', VALUE_TYPE.string, string('llama')],
        ['list', VALUE_TYPE.array, array(VALUE_TYPE.string, string('a'), string('b'))],
      ],
      tensors: [tensor('a', 0, [8, 2]), tensor('b', 64)],
      data: new Uint8Array(96),
    })
    const mutation = fc.tuple(fc.nat(small.length - 1), fc.integer({ min: 0, max: 255 }))
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
        const bytes = small.slice()
        for (const [at, byte] of mutations) bytes[at] = byte
        survives(bytes)
      }),
      { numRuns: 3000 },
    )
  })
})
