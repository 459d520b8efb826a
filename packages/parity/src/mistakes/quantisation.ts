import { dequantize, TENSOR_TYPES, type TensorType } from '@plumbline/reference'
import type { OpSite } from '../graph/op-site.ts'
import { withWeight } from './linear.ts'
import type { Mistake } from './mistake.ts'

const ops = [
  'ffn_down',
  'token_embd',
  'attn_q',
  'attn_k',
  'attn_v',
  'attn_output',
  'ffn_gate',
  'ffn_up',
  'logits',
] as const

/** Bytes of a block by what they hold (layouts: packages/reference/src/dequantize): [from, to). */
interface BlockLayout {
  /** The scale of the block, float16. */
  readonly scale: readonly [number, number]
  /** The minimum of the block, or the scale of its minima, float16. */
  readonly minimum?: readonly [number, number]
  /** 12 bytes of 6-bit scales and minima. */
  readonly packedScales?: number
  /** int8 scales of sub-blocks. */
  readonly scales?: readonly [number, number]
  /** Bytes of two 4-bit values. */
  readonly nibbles?: readonly [number, number]
  /** The bits above the nibbles. */
  readonly highBits?: readonly [number, number]
  /** What is subtracted from a stored value, and the bytes that make every stored value one more than that. */
  readonly zeroPoint?: { readonly subtracted: number; readonly nibbles: number; readonly highBits?: number }
}

const LAYOUTS: Readonly<Partial<Record<TensorType, BlockLayout>>> = {
  Q8_0: { scale: [0, 2] },
  Q4_0: { scale: [0, 2], nibbles: [2, 18], zeroPoint: { subtracted: 8, nibbles: 0x99 } },
  Q4_1: { scale: [0, 2], minimum: [2, 4], nibbles: [4, 20] },
  Q5_0: {
    scale: [0, 2],
    highBits: [2, 6],
    nibbles: [6, 22],
    zeroPoint: { subtracted: 16, nibbles: 0x11, highBits: 0xff },
  },
  Q5_1: { scale: [0, 2], minimum: [2, 4], highBits: [4, 8], nibbles: [8, 24] },
  Q4_K: { scale: [0, 2], minimum: [2, 4], packedScales: 4, nibbles: [16, 144] },
  Q5_K: { scale: [0, 2], minimum: [2, 4], packedScales: 4, highBits: [16, 48], nibbles: [48, 176] },
  Q6_K: {
    scale: [208, 210],
    scales: [192, 208],
    nibbles: [0, 128],
    highBits: [128, 192],
    zeroPoint: { subtracted: 32, nibbles: 0x11, highBits: 0xaa },
  },
}

type ChangeBlock = (block: Uint8Array, next: Uint8Array) => void

/** The op's weight dequantised from blocks that `change` altered; undefined where it gives undefined for the layout. */
function dequantised(site: OpSite, change: (layout: BlockLayout) => ChangeBlock | undefined): Float32Array | undefined {
  const { gguf } = site.model
  const tensor = gguf.tensors.get(site.tensorName)!
  const layout = LAYOUTS[tensor.type]
  const changeBlock = layout && change(layout)
  if (changeBlock === undefined) return undefined
  const { blockBytes, blockLength } = TENSOR_TYPES[tensor.type]
  const original = gguf.tensorBytes(site.tensorName)
  const bytes = original.slice()
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const nextAt = (at + blockBytes) % bytes.length
    changeBlock(bytes.subarray(at, at + blockBytes), original.subarray(nextAt, nextAt + blockBytes))
  }
  return dequantize(tensor.type, bytes, (bytes.length / blockBytes) * blockLength)
}

function misread(name: string, description: string, change: (layout: BlockLayout) => ChangeBlock | undefined): Mistake {
  return {
    name,
    description,
    ops,
    compute: (site) => {
      const weight = dequantised(site, change)
      return weight && withWeight(site, weight)
    },
  }
}

const cleared = (range: readonly [number, number] | undefined): ChangeBlock | undefined =>
  range && ((block) => void block.fill(0, ...range))

/** The 6-bit scales and minima of 8 sub-blocks: low four bits and high two lie apart for the last four. */
function unpackScales(packed: Uint8Array): number[][] {
  return Array.from({ length: 8 }, (_, j) =>
    j < 4
      ? [packed[j]! & 63, packed[j + 4]! & 63]
      : [(packed[j + 4]! & 15) | ((packed[j - 4]! >> 6) << 4), (packed[j + 4]! >> 4) | ((packed[j]! >> 6) << 4)],
  )
}

function packScales(pairs: readonly (readonly number[])[], packed: Uint8Array): void {
  packed.fill(0)
  for (const [j, [scale, minimum]] of pairs.entries()) {
    if (j < 4) {
      packed[j]! |= scale!
      packed[j + 4]! |= minimum!
    } else {
      packed[j + 4]! |= (scale! & 15) | ((minimum! & 15) << 4)
      packed[j - 4]! |= (scale! >> 4) << 6
      packed[j]! |= (minimum! >> 4) << 6
    }
  }
}

/** Of the weights' storage: blocks that are read wrongly. */
export const QUANTISATION_MISTAKES: readonly Mistake[] = [
  misread(
    'quant-scale-of-next-block',
    'takes the scale of the next block of its quantised weight',
    ({ scale }) =>
      (block, next) =>
        block.set(next.subarray(...scale), scale[0]),
  ),
  misread('quant-minimum-ignored', 'leaves out the minimum of the blocks of its quantised weight', ({ minimum }) =>
    cleared(minimum),
  ),
  misread(
    'quant-nibble-order',
    'takes the high nibble of each byte of its quantised weight for the low',
    ({ nibbles }) =>
      nibbles &&
      ((block) => {
        for (let i = nibbles[0]; i < nibbles[1]; i++) block[i] = (block[i]! >> 4) | ((block[i]! & 15) << 4)
      }),
  ),
  misread('quant-high-bits-ignored', 'leaves out the bits above the nibbles of its quantised weight', ({ highBits }) =>
    cleared(highBits),
  ),
  misread(
    'quant-sub-scales-shifted',
    'takes the scale of the next sub-block of its quantised weight',
    ({ packedScales, scales }) => {
      if (scales !== undefined) {
        return (block) => {
          const own = block.slice(...scales)
          block.set([...own.subarray(1), own[0]!], scales[0])
        }
      }
      if (packedScales === undefined) return undefined
      return (block) => {
        const packed = block.subarray(packedScales, packedScales + 12)
        const pairs = unpackScales(packed)
        packScales(
          pairs.map(([, minimum], j) => [pairs[(j + 1) % 8]![0]!, minimum!]),
          packed,
        )
      }
    },
  ),
  misread(
    'quant-scale-minimum-swapped',
    "takes the sub-blocks' scales for their minima in its quantised weight, and the other way round",
    ({ packedScales }) =>
      packedScales === undefined
        ? undefined
        : (block) => {
            const packed = block.subarray(packedScales, packedScales + 12)
            packScales(
              unpackScales(packed).map(([scale, minimum]) => [minimum!, scale!]),
              packed,
            )
          },
  ),
  {
    name: 'quant-zero-point-missing',
    description: 'does not subtract the zero point from the values of its quantised weight',
    ops,
    compute: (site) => {
      // With every stored value one above the zero point, what is dequantised is the scale itself.
      let subtracted = 0
      const scales = dequantised(site, ({ zeroPoint, nibbles, highBits }) => {
        if (zeroPoint === undefined) return undefined
        subtracted = zeroPoint.subtracted
        return (block) => {
          block.fill(zeroPoint.nibbles, ...nibbles!)
          if (highBits) block.fill(zeroPoint.highBits!, ...highBits)
        }
      })
      const right = dequantised(site, () => () => undefined)
      return (
        scales &&
        withWeight(
          site,
          right!.map((w, i) => w + subtracted * scales[i]!),
        )
      )
    },
  },
  {
    name: 'quant-unsigned',
    description: 'takes the signed bytes of its quantised weight for unsigned ones',
    ops,
    compute: (site) => {
      const { gguf } = site.model
      const { type } = gguf.tensors.get(site.tensorName)!
      if (type !== 'Q8_0') return undefined
      const right = dequantised(site, () => () => undefined)!
      // With every stored value 1, what is dequantised is the scale itself.
      const scales = dequantised(site, () => (block) => void block.fill(1, 2))!
      return withWeight(
        site,
        right.map((w, i) => (w * scales[i]! < 0 ? w + 256 * scales[i]! : w)),
      )
    },
  },
  {
    name: 'weight-type-confused',
    description: 'takes bfloat16 weights for float16, or the other way round',
    ops,
    compute: (site) => {
      const { gguf } = site.model
      const { type } = gguf.tensors.get(site.tensorName)!
      if (type !== 'BF16' && type !== 'F16') return undefined
      const bytes = gguf.tensorBytes(site.tensorName)
      return withWeight(site, dequantize(type === 'BF16' ? 'F16' : 'BF16', bytes, bytes.length / 2))
    },
  },
]
