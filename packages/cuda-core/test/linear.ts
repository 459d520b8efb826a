import { type readSafetensors, TENSOR_TYPES, type TensorType } from '@plumbline/reference'
import { applyLinear } from '@plumbline/reference/ops'
import { randomFloats, uniform } from './random.ts'

type Vectors = ReturnType<typeof readSafetensors>

/** Weights of a type as the file would have them: blocks drawn from the vectors (quant-vectors.safetensors), or random floats. */
export function randomWeight(
  vectors: Vectors,
  type: TensorType,
  rows: number,
  width: number,
  seed: number,
): Uint8Array {
  if (type === 'F32') return new Uint8Array(randomFloats(rows * width, seed).buffer)
  const { blockLength, blockBytes } = TENSOR_TYPES[type]
  const blocks = vectors.get(`${type}.blocks`)!.values as Uint8Array
  const count = blocks.length / blockBytes
  const next = uniform(seed)
  const out = new Uint8Array(((rows * width) / blockLength) * blockBytes)
  for (let at = 0; at < out.length; at += blockBytes) {
    const block = Math.floor(next() * count)
    out.set(blocks.subarray(block * blockBytes, (block + 1) * blockBytes), at)
  }
  return out
}

const energy = (values: Float32Array) => values.reduce((sum, x) => sum + x ** 2, 0)

/**
 * Squared differences of dot products over the energy of their terms, which is what their squares are on average: a few sums whose terms
 * cancel may be far off by their own measure, and cannot be otherwise.
 */
export function dotError(result: Float32Array, linear: Parameters<typeof applyLinear>[0], input: Float32Array) {
  const positions = input.length / linear.columns
  const truth = applyLinear(linear, Float64Array.from(input), positions)
  const terms = (energy(linear.weight) * energy(input)) / linear.columns
  const biases = linear.bias === undefined ? 0 : energy(linear.bias) * positions
  return result.reduce((sum, x, i) => sum + (x - truth[i]!) ** 2, 0) / (terms + biases)
}
