import type { RecordedDtype, Values } from '../recording/recording.ts'
import type { NumbersInFile } from './json-lines.ts'
import { NumberScanner } from './number-scanner.ts'
import { NumbersAhead } from './numbers-ahead.ts'
import { invalid, type RecordingFile } from './recording-file.ts'
import type { SlabEntry } from './slab-table.ts'

const SKIPPED_AT_ONCE = 4096

/** The numbers of `values` members, parsed when they are asked for. Rows read in order are parsed once. */
export class JsonNumbers {
  readonly #file: RecordingFile
  readonly #scanner: NumberScanner
  readonly #ahead: NumbersAhead
  #values: Values = new Float32Array(0)
  readonly #skipped = new Float32Array(SKIPPED_AT_ONCE)
  #entry = -1
  /** The element of that entry that the scanner stands before. */
  #element = 0

  constructor(file: RecordingFile) {
    this.#file = file
    this.#scanner = new NumberScanner(file)
    this.#ahead = new NumbersAhead(file.descriptor)
  }

  /** Arrays that may be asked for, in the order of the file. */
  expect({ offset, bytes }: NumbersInFile, count: number, dtype: RecordedDtype): void {
    this.#ahead.add({ offset, bytes, count, toFloat32: dtype !== 'F64' })
  }

  /** Reads no more ahead. */
  stop(): void {
    this.#ahead.close()
  }

  close(): void {
    this.stop()
    this.#file.close()
  }

  read({ index, dataOffset, perRow, count, dtype, line }: SlabEntry, first: number, rows: number): Values {
    const from = first * perRow
    const length = rows * perRow
    const ready = this.#ahead.values(dataOffset)
    if (ready?.length === count * perRow) return ready.subarray(from, from + length)
    if (this.#entry !== index || this.#element > from) {
      this.#scanner.seek(dataOffset, line)
      this.#element = 0
    }
    // Not in place until all has gone well.
    this.#entry = -1
    while (this.#element < from) {
      const skip = Math.min(SKIPPED_AT_ONCE, from - this.#element)
      this.#scanner.read(this.#skipped.subarray(0, skip))
      this.#element += skip
    }
    const ArrayType = dtype === 'F64' ? Float64Array : Float32Array
    if (this.#values.length < length || !(this.#values instanceof ArrayType)) this.#values = new ArrayType(length)
    const values = this.#values.subarray(0, length)
    this.#scanner.read(values)
    this.#element += length
    if (this.#element === count * perRow && !this.#scanner.atEnd) {
      throw invalid(this.#scanner.placeOf(this.#scanner.offset), 'there are more values than the shape says')
    }
    this.#entry = index
    return values
  }
}
