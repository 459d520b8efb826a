import { PlumblineError } from '@plumbline/protocol'
import { TENSOR_TYPES, type TensorType } from '../gguf/tensor-types.ts'
import { bfloat16ToFloat32, float16ToFloat32 } from './half-float.ts'
import { dequantizeQ4_K, dequantizeQ5_K, dequantizeQ6_K } from './k-blocks.ts'
import {
  type BlockDequantizer,
  dequantizeQ4_0,
  dequantizeQ4_1,
  dequantizeQ5_0,
  dequantizeQ5_1,
  dequantizeQ8_0,
} from './legacy-blocks.ts'

const DEQUANTIZERS: Readonly<Record<TensorType, BlockDequantizer>> = {
  F32: (block, start, out, at) => {
    out[at] = block.getFloat32(start, true)
  },
  F16: (block, start, out, at) => {
    out[at] = float16ToFloat32(block.getUint16(start, true))
  },
  BF16: (block, start, out, at) => {
    out[at] = bfloat16ToFloat32(block.getUint16(start, true))
  },
  Q8_0: dequantizeQ8_0,
  Q4_0: dequantizeQ4_0,
  Q4_1: dequantizeQ4_1,
  Q5_0: dequantizeQ5_0,
  Q5_1: dequantizeQ5_1,
  Q4_K: dequantizeQ4_K,
  Q5_K: dequantizeQ5_K,
  Q6_K: dequantizeQ6_K,
}

/** `count` values of a tensor's data as float32: the very bits that ggml's own dequantisation gives. */
export function dequantize(type: TensorType, bytes: Uint8Array, count: number): Float32Array {
  const { blockLength, blockBytes } = TENSOR_TYPES[type]
  if (count % blockLength !== 0 || (count / blockLength) * blockBytes !== bytes.length) {
    const message = `${bytes.length} bytes of ${type} are not ${count} values`
    throw new PlumblineError('INVALID_GGUF', message, { type, bytes: bytes.length, count })
  }
  const block = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const dequantizeBlock = DEQUANTIZERS[type]
  const values = new Float32Array(count)
  for (let start = 0, at = 0; at < count; start += blockBytes, at += blockLength)
    dequantizeBlock(block, start, values, at)
  return values
}
