import { float16ToFloat32 } from './half-float.ts'

/**
 * Blocks of 32 values with one scale (ggml-common.h `block_q8_0`, `block_q4_0`, …; ggml-quants.c `dequantize_row_*`).
 * All arithmetic is float32, each operation rounded, as there. The low nibbles hold values 0 to 15 of a block, the high
 * nibbles 16 to 31; the fifth bits, where there are any, are a 32-bit word, one a value.
 */
export type BlockDequantizer = (block: DataView, start: number, out: Float32Array, at: number) => void

const half = (block: DataView, at: number) => float16ToFloat32(block.getUint16(at, true))

/** d f16, 32 int8: d * q */
export const dequantizeQ8_0: BlockDequantizer = (block, start, out, at) => {
  const d = half(block, start)
  for (let i = 0; i < 32; i++) out[at + i] = d * block.getInt8(start + 2 + i)
}

/** d f16, 32 nibbles: d * (q - 8) */
export const dequantizeQ4_0: BlockDequantizer = (block, start, out, at) => {
  const d = half(block, start)
  for (let i = 0; i < 16; i++) {
    const pair = block.getUint8(start + 2 + i)
    out[at + i] = d * ((pair & 15) - 8)
    out[at + 16 + i] = d * ((pair >> 4) - 8)
  }
}

/** d f16, m f16, 32 nibbles: d * q + m */
export const dequantizeQ4_1: BlockDequantizer = (block, start, out, at) => {
  const d = half(block, start)
  const m = half(block, start + 2)
  for (let i = 0; i < 16; i++) {
    const pair = block.getUint8(start + 4 + i)
    out[at + i] = Math.fround(d * (pair & 15)) + m
    out[at + 16 + i] = Math.fround(d * (pair >> 4)) + m
  }
}

/** d f16, 32 fifth bits, 32 nibbles: d * (q - 16) */
export const dequantizeQ5_0: BlockDequantizer = (block, start, out, at) => {
  const d = half(block, start)
  const fifth = block.getUint32(start + 2, true)
  for (let i = 0; i < 16; i++) {
    const pair = block.getUint8(start + 6 + i)
    out[at + i] = d * (((pair & 15) | (((fifth >>> i) & 1) << 4)) - 16)
    out[at + 16 + i] = d * (((pair >> 4) | (((fifth >>> (i + 16)) & 1) << 4)) - 16)
  }
}

/** d f16, m f16, 32 fifth bits, 32 nibbles: d * q + m */
export const dequantizeQ5_1: BlockDequantizer = (block, start, out, at) => {
  const d = half(block, start)
  const m = half(block, start + 2)
  const fifth = block.getUint32(start + 4, true)
  for (let i = 0; i < 16; i++) {
    const pair = block.getUint8(start + 8 + i)
    out[at + i] = Math.fround(d * ((pair & 15) | (((fifth >>> i) & 1) << 4))) + m
    out[at + 16 + i] = Math.fround(d * ((pair >> 4) | (((fifth >>> (i + 16)) & 1) << 4))) + m
  }
}
