import { dequantize } from '../src/dequantize/dequantize.ts'
import type { GgufFile, GgufTensor, GgufValue } from '../src/gguf/read-gguf.ts'

export interface Matrix {
  readonly shape: readonly number[]
  readonly values: Float32Array
}

/** A tensor's values, dequantised. */
export function matrixOf(gguf: GgufFile, name: string): Matrix {
  const { shape, type } = gguf.tensors.get(name)!
  const count = shape.reduce((product, dimension) => product * dimension, 1)
  return { shape, values: dequantize(type, gguf.tensorBytes(name), count) }
}

/** The same model with metadata and F32 tensors added or replaced, in memory. */
export function changedGguf(
  gguf: GgufFile,
  metadata: Readonly<Record<string, GgufValue>>,
  matrices: ReadonlyMap<string, Matrix>,
): GgufFile {
  const tensors = new Map<string, GgufTensor>(gguf.tensors)
  for (const [name, { shape, values }] of matrices) {
    tensors.set(name, { name, shape, type: 'F32', offset: 0, nbytes: values.byteLength })
  }
  return {
    version: gguf.version,
    metadata: new Map([...gguf.metadata, ...Object.entries(metadata)]),
    tensors,
    tensorBytes: (name) => {
      const changed = matrices.get(name)
      return changed === undefined ? gguf.tensorBytes(name) : new Uint8Array(changed.values.slice().buffer)
    },
  }
}
