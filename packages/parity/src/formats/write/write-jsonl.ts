import { createHash } from 'node:crypto'
import type { Recording, Values } from '../../recording/recording.ts'
import { JSONL_FORMAT } from '../jsonl.ts'
import { columnsOf, headerOf } from './extents.ts'
import type { OutputFile } from './output-file.ts'

/** A line of more values is another slab. */
const VALUES_A_LINE = 1 << 16

/** All values as text: a line a slab, whole rows, and a last line that closes the file. */
export function writeJsonl(recording: Recording, out: OutputFile): void {
  const hash = createHash('sha256')
  const line = (text: string) => {
    const bytes = Buffer.from(`${text}\n`)
    hash.update(bytes)
    out.append(bytes)
  }
  line(JSON.stringify({ format: JSONL_FORMAT, v: 1, runs: recording.runs.map(headerOf) }))
  let records = 0
  for (const [run, { checkpoints }] of recording.runs.entries()) {
    for (const checkpoint of checkpoints.values()) {
      const { name, width, slabCount } = checkpoint
      for (let index = 0; index < slabCount; index++) {
        const slab = checkpoint.slab(index)
        const { pos, count, phase, dtype, coverage } = slab
        const rows = Math.max(1, Math.floor(VALUES_A_LINE / coverage.perRow))
        for (let first = 0; first < count; first += rows) {
          const n = Math.min(rows, count - first)
          const record = {
            run,
            name,
            ...(phase && { phase }),
            pos: pos + first,
            n,
            width,
            dtype,
            coverage: coverage.kind,
            per_row: coverage.perRow,
            ...(coverage.kind === 'columns' && { columns: [...columnsOf(slab, first, n)] }),
          }
          line(`${JSON.stringify(record).slice(0, -1)},"values":[${numbersText(slab.read(first, n))}]}`)
          records++
        }
      }
    }
  }
  const sha256 = hash.digest('hex')
  out.append(Buffer.from(`${JSON.stringify({ closed: { records, sha256 } })}\n`))
}

function numbersText(values: Values): string {
  const text = values instanceof Float32Array ? float32Text : doubleText
  let out = ''
  for (let index = 0; index < values.length; index++) out += `${index > 0 ? ',' : ''}${text(values[index]!)}`
  return out
}

function doubleText(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`
  return Object.is(value, -0) ? '-0' : String(value)
}

/** The fewest of six to nine digits that give the same float32; nine always do. */
function float32Text(value: number): string {
  if (!Number.isFinite(value) || value === 0) return doubleText(value)
  for (let digits = 6; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits))
    if (Math.fround(rounded) === value) return String(rounded)
  }
  const rounded = Number(value.toPrecision(9))
  return Math.fround(rounded) === value ? String(rounded) : String(value)
}
