import { float16ToFloat32 } from './half-float.ts'
import type { BlockDequantizer } from './legacy-blocks.ts'

/**
 * Super-blocks of 256 values whose sub-blocks' scales are quantised too (ggml-common.h `block_q4_K`, `block_q5_K`,
 * `block_q6_K`; ggml-quants.c `dequantize_row_*`). All arithmetic is float32, as there. The products are exact (a float16 has 11
 * significant bits, scales and quants have few): only the difference of Q4_K and Q5_K is ever rounded.
 */
const half = (block: DataView, at: number) => float16ToFloat32(block.getUint16(at, true))

/**
 * The 6-bit scale and minimum of sub-block j out of 12 bytes: j < 4 in the low six bits of bytes j and j + 4; for the others the low
 * four bits are a nibble of byte j + 4, and the high two bits are the top bits of bytes j - 4 and j.
 */
function scaleAndMinimum(block: DataView, start: number, j: number): [scale: number, minimum: number] {
  const byte = (index: number) => block.getUint8(start + index)
  if (j < 4) return [byte(j) & 63, byte(j + 4) & 63]
  return [(byte(j + 4) & 15) | ((byte(j - 4) >> 6) << 4), (byte(j + 4) >> 4) | ((byte(j) >> 6) << 4)]
}

/**
 * d f16, dmin f16, 12 bytes of scales, [Q5_K: 32 bytes of fifth bits,] 128 bytes of nibbles: 8 sub-blocks of 32,
 * d * scale * q - dmin * minimum. Each 32 bytes hold two sub-blocks, low nibbles and high; the fifth bit of value i in
 * sub-block j is bit j of byte i.
 */
function dequantizeSubBlocks(
  block: DataView,
  start: number,
  fifthBits: number | undefined,
  out: Float32Array,
  at: number,
) {
  const d = half(block, start)
  const dmin = half(block, start + 2)
  const nibbles = start + (fifthBits === undefined ? 16 : 48)
  for (let j = 0; j < 8; j++) {
    const [scale, minimum] = scaleAndMinimum(block, start + 4, j)
    const subScale = Math.fround(d * scale)
    const subMinimum = Math.fround(dmin * minimum)
    for (let i = 0; i < 32; i++) {
      const nibble = (block.getUint8(nibbles + (j >> 1) * 32 + i) >> ((j & 1) * 4)) & 15
      const fifth = fifthBits === undefined ? 0 : (block.getUint8(fifthBits + i) >> j) & 1
      out[at + j * 32 + i] = Math.fround(subScale * (nibble | (fifth << 4))) - subMinimum
    }
  }
}

export const dequantizeQ4_K: BlockDequantizer = (block, start, out, at) =>
  dequantizeSubBlocks(block, start, undefined, out, at)

export const dequantizeQ5_K: BlockDequantizer = (block, start, out, at) =>
  dequantizeSubBlocks(block, start, start + 16, out, at)

/**
 * 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 int8 scales, d f16: 16 sub-blocks of 16,
 * d * scale * (q - 32). In each half of 128 values, value i of quarter k (32 values) has its nibble in byte
 * i + 32 * (k mod 2), low for quarters 0 and 1, high for 2 and 3, and its pair at bits 2k of byte i.
 */
export const dequantizeQ6_K: BlockDequantizer = (block, start, out, at) => {
  const d = half(block, start + 208)
  for (let value = 0; value < 256; value++) {
    const inHalf = value & 127
    const quarter = inHalf >> 5
    const i = inHalf & 31
    const halfIndex = value >> 7
    const low = (block.getUint8(start + halfIndex * 64 + (quarter & 1) * 32 + i) >> ((quarter >> 1) * 4)) & 15
    const high = (block.getUint8(start + 128 + halfIndex * 32 + i) >> (quarter * 2)) & 3
    const scale = block.getInt8(start + 192 + (value >> 4))
    out[at + value] = Math.fround(d * scale) * ((low | (high << 4)) - 32)
  }
}
