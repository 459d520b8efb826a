import { readFileSync } from 'node:fs'

export interface SafetensorsTensor {
  /** Row-major, outermost first. */
  readonly shape: readonly number[]
  readonly values: Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array
}

const ARRAYS = {
  F32: Float32Array,
  F64: Float64Array,
  I32: Int32Array,
  I64: BigInt64Array,
  U8: Uint8Array,
} as const

/**
 * All tensors of a safetensors file (github.com/huggingface/safetensors, "Format"): the length of a JSON header as u64, the
 * header, the data. For files that we keep ourselves: what is wrong with one is a plain Error.
 */
export function readSafetensors(path: string): Map<string, SafetensorsTensor> {
  const file = readFileSync(path)
  const headerLength = Number(file.readBigUInt64LE(0))
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerLength)) as Record<string, unknown>
  const tensors = new Map<string, SafetensorsTensor>()
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue
    const { dtype, shape, data_offsets } = entry as { dtype: string; shape: number[]; data_offsets: [number, number] }
    const ArrayType = ARRAYS[dtype as keyof typeof ARRAYS]
    if (ArrayType === undefined)
      throw new Error(`${path}: ${name} is ${dtype}, must be ${Object.keys(ARRAYS).join(', ')}`)
    const [start, end] = data_offsets.map((offset) => 8 + headerLength + offset) as [number, number]
    // A copy, since the data need not be aligned in the file.
    const bytes = new Uint8Array(file.subarray(start, end))
    const values = new ArrayType(bytes.buffer)
    if (values.length !== shape.reduce((product, dimension) => product * dimension, 1)) {
      throw new Error(`${path}: ${name} has ${values.length} values, its shape is [${shape.join(', ')}]`)
    }
    tensors.set(name, { shape, values })
  }
  return tensors
}
