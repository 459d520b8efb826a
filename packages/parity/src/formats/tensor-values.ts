import type { RecordedDtype, Values } from '../recording/recording.ts'
import type { RecordingFile } from './recording-file.ts'

/** In bytes. */
export const DTYPE_SIZES = { F64: 8, F32: 4, F16: 2, BF16: 2 } as const satisfies Record<RecordedDtype, number>

const HALF_TO_FLOAT = new Float32Array(65_536)
for (let half = 0; half < 65_536; half++) {
  const exponent = (half >> 10) & 31
  const fraction = half & 1023
  const magnitude =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : (1 + fraction / 1024) * 2 ** (exponent - 15)
  HALF_TO_FLOAT[half] = half & 0x8000 ? -magnitude : magnitude
}

/**
 * Reads little-endian values of one dtype, widened without loss to float32 (F64: as they are), into memory that it uses again for
 * the next read.
 */
export class TensorReader {
  #bytes = new Uint8Array(0)
  #widened = new Float32Array(0)

  read(file: RecordingFile, offset: number, dtype: RecordedDtype, count: number): Values {
    const bytes = this.#take(count * DTYPE_SIZES[dtype])
    file.read(bytes, offset)
    if (dtype === 'F32') return new Float32Array(bytes.buffer, 0, count)
    if (dtype === 'F64') return new Float64Array(bytes.buffer, 0, count)
    const halves = new Uint16Array(bytes.buffer, 0, count)
    if (this.#widened.length < count) this.#widened = new Float32Array(count)
    const values = this.#widened.subarray(0, count)
    if (dtype === 'F16') {
      for (let index = 0; index < count; index++) values[index] = HALF_TO_FLOAT[halves[index]!]!
    } else {
      const bits = new Uint32Array(values.buffer, 0, count)
      for (let index = 0; index < count; index++) bits[index] = halves[index]! << 16
    }
    return values
  }

  #take(length: number): Uint8Array<ArrayBuffer> {
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(Math.ceil(length / 8) * 8)
    return this.#bytes.subarray(0, length)
  }
}
