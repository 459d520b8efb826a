import { committedAsset } from '@plumbline/protocol/testing'
import { describe, expect, test } from 'vitest'
import { TENSOR_TYPES, type TensorType } from '../gguf/tensor-types.ts'
import { readSafetensors } from '../safetensors/read-safetensors.ts'
import { dequantize } from './dequantize.ts'

const vectors = readSafetensors(committedAsset('quant-vectors/quant-vectors.safetensors'))
const types = Object.keys(TENSOR_TYPES) as TensorType[]

const bitsOf = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length)

describe('dequantize, against gguf-py', () => {
  test.each(types.filter((type) => type !== 'F32'))('%s: bit for bit', (type) => {
    const blocks = vectors.get(`${type}.blocks`)!.values as Uint8Array
    const expected = vectors.get(`${type}.values`)!.values as Float32Array
    expect(bitsOf(dequantize(type, blocks, expected.length))).toEqual(bitsOf(expected))
  })

  // So the vectors cannot tell one order of multiplications from another, nor need they: there is one rounding, in the difference.
  test.each([
    ['Q4_K', 63, 15],
    ['Q5_K', 63, 31],
    ['Q6_K', 128, 32],
  ])('%s: the product of d, scale and quant is exact in float32', (_, largestScale, largestQuant) => {
    let inexact = 0
    for (let significand = 1024; significand < 2048; significand++) {
      for (let scale = 1; scale <= largestScale; scale++) {
        for (let quant = 1; quant <= largestQuant; quant++) {
          const product = significand * scale * quant
          if (Math.fround(product) !== product) inexact++
        }
      }
    }
    expect(inexact).toBe(0)
  })

  test('F32 is a copy', () => {
    const values = Float32Array.from([1, -0, 3.4028234663852886e38, 1.401298464324817e-45])
    expect(bitsOf(dequantize('F32', new Uint8Array(values.buffer), 4))).toEqual(bitsOf(values))
  })

  test('F16: subnormals, infinities, NaN', () => {
    const halves = Uint16Array.from([0x0001, 0x83ff, 0x7c00, 0xfc00, 0x7e01, 0x8000])
    const values = dequantize('F16', new Uint8Array(halves.buffer), 6)
    expect([...values]).toEqual([2 ** -24, -1023 * 2 ** -24, Infinity, -Infinity, Number.NaN, -0])
  })

  test.each(types)('%s: bytes that are not that many values are a typed error', (type) => {
    const { blockLength, blockBytes } = TENSOR_TYPES[type]
    expect(() => dequantize(type, new Uint8Array(blockBytes), 2 * blockLength)).toThrow(
      `${blockBytes} bytes of ${type}`,
    )
  })
})
