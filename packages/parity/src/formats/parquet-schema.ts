import { createHash, type Hash } from 'node:crypto'
import { z } from 'zod'
import { runHeaderSchema } from './identity-json.ts'

/*
 * `convert --to parquet`: a row a value, so that SQL needs no unnesting: run, checkpoint, layer, op, phase, pos, col, value. Rows of one
 * position follow one another. The key-value metadata hold the runs, the form of each checkpoint, and a sha256.
 */
export const HEADER_KEY = 'plumbline.recording'
export const SHA256_KEY = 'plumbline.sha256'

export const parquetHeaderSchema = z.strictObject({
  v: z.literal(1),
  runs: z
    .array(
      runHeaderSchema.extend({
        checkpoints: z.record(
          z.string(),
          z.strictObject({ width: z.int().min(0), dtype: z.enum(['F64', 'F32', 'F16', 'BF16']) }),
        ),
      }),
    )
    .min(1),
})
export type ParquetHeader = z.output<typeof parquetHeaderSchema>

/** Over the header and, of each position, what it is and its columns and values: whatever the file's encoding is. */
export class ParquetHash {
  readonly #keys: Hash = createHash('sha256')
  readonly #columns: Hash = createHash('sha256')
  readonly #values: Hash = createHash('sha256')

  constructor(headerText: string) {
    this.#keys.update(headerText)
  }

  /** Before the values of each position. */
  position(run: string, checkpoint: string, phase: string | null, pos: number, count: number): void {
    this.#keys.update(`\n${run}\0${checkpoint}\0${phase ?? ''}\0${pos}\0${count}`)
  }

  values(columns: Int32Array, values: Float64Array): void {
    this.#columns.update(new Uint8Array(columns.buffer, columns.byteOffset, columns.byteLength))
    this.#values.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  }

  digest(): string {
    return createHash('sha256')
      .update(`${this.#keys.digest('hex')}${this.#columns.digest('hex')}${this.#values.digest('hex')}`)
      .digest('hex')
  }
}
