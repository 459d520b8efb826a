/** How ggml lays out a type (ggml-common.h), and what makes ordinary numbers of random bytes. */
interface TensorType {
  readonly id: number
  readonly blockValues: number
  readonly blockBytes: number
  /** Where a block's float16 scales stand. */
  readonly scales: readonly number[]
  /** The mean size of a value whose scale is 1: the scales are divided by it. */
  readonly size: number
}

export const TENSOR_TYPES = {
  Q5_0: { id: 6, blockValues: 32, blockBytes: 22, scales: [0], size: 9 },
  Q8_0: { id: 8, blockValues: 32, blockBytes: 34, scales: [0], size: 74 },
  Q4_K: { id: 12, blockValues: 256, blockBytes: 144, scales: [0, 2], size: 280 },
  Q6_K: { id: 14, blockValues: 256, blockBytes: 210, scales: [208], size: 1_350 },
  BF16: { id: 30, blockValues: 1, blockBytes: 2, scales: [], size: 1 },
} as const satisfies Record<string, TensorType>
export type TensorTypeName = keyof typeof TENSOR_TYPES

export const tensorBytes = (type: TensorTypeName, values: number): number =>
  (values / TENSOR_TYPES[type].blockValues) * TENSOR_TYPES[type].blockBytes

/**
 * A tensor of random quants, the same for the same seed, with values of about 1 / sqrt(width): what a layer gives out is then
 * about as large as what it was given.
 */
export function randomTensor(type: TensorTypeName, width: number, values: number, seed: number): Uint8Array {
  const { blockBytes, scales, size } = TENSOR_TYPES[type]
  const bytes = randomBytes(tensorBytes(type, values), seed)
  if (type === 'BF16') {
    // Sign and significand stay; the exponent is that of 1 / sqrt(width) or below.
    const exponent = (127 - Math.ceil(Math.log2(width) / 2)) << 7
    const words = new Uint16Array(bytes.buffer)
    for (let i = 0; i < words.length; i++) words[i] = (words[i]! & 0x807f) | exponent
    return bytes
  }
  const scale = float16(1 / (size * Math.sqrt(width)))
  const view = new DataView(bytes.buffer)
  for (let block = 0; block < bytes.length; block += blockBytes) {
    for (const offset of scales) view.setUint16(block + offset, scale, true)
  }
  return bytes
}

/** Marsaglia's xorshift32 (Journal of Statistical Software 8, 2003). */
function randomBytes(count: number, seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(count / 4))
  let state = (seed * 2_654_435_761 + 1) >>> 0 || 1
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  return new Uint8Array(words.buffer, 0, count)
}

/** The bits of the float16 next to it; at least those of 2^-14, the smallest that is not subnormal. */
function float16(value: number): number {
  const exponent = Math.max(-14, Math.floor(Math.log2(value)))
  const significand = Math.min(1023, Math.round((value / 2 ** exponent - 1) * 1024))
  return ((exponent + 15) << 10) | Math.max(0, significand)
}
