import { createHash } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import {
  manifestText,
  PlumblineError,
  type TraceManifest,
  type TraceNumber,
  type TraceRecord,
} from '@plumbline/protocol'
import type { OracleRecord } from './oracle.ts'

const FILES = ['manifest.json', 'trace.jsonl', 'tensors.bin'] as const
const FIRST_VALUES = 8

/** Writes a trace folder (DESIGN 3.4) as the worker does: values as float32, record by record, the manifest last and whole. */
export class TraceWriter {
  readonly #directory: string
  readonly #manifest: TraceManifest
  readonly #records: HashedFile
  readonly #tensors: HashedFile
  #count = 0

  /** INVALID_OPTION where the folder cannot be made or already holds a trace. */
  constructor(directory: string, manifest: TraceManifest) {
    this.#directory = directory
    this.#manifest = manifest
    try {
      mkdirSync(directory, { recursive: true })
    } catch (error) {
      throw refusal(directory, (error as Error).message)
    }
    if (existsSync(join(directory, FILES[0]))) throw refusal(directory, 'the folder already holds one')
    this.#records = new HashedFile(join(directory, FILES[1]))
    this.#tensors = new HashedFile(join(directory, FILES[2]))
    this.#writeManifest(manifest)
  }

  write({ name, layer, phase, pos, count, width, values }: OracleRecord): void {
    const floats = Float32Array.from(values)
    const record: TraceRecord = {
      v: 1,
      run: this.#manifest.run,
      phase,
      pos,
      n: count,
      layer,
      name,
      dtype: 'F32',
      shape: [count, width],
      stats: statsOf(floats),
      offset: this.#tensors.size,
      nbytes: floats.byteLength,
      values: Array.from(floats.subarray(0, FIRST_VALUES), shortest),
    }
    // The values first: no record ever points at what is not there.
    this.#tensors.append(new Uint8Array(floats.buffer))
    this.#records.append(Buffer.from(`${JSON.stringify(record)}\n`))
    this.#count++
  }

  close(generatedTokenIds: readonly number[], stopReason: 'EOS' | 'MAX_TOKENS'): void {
    this.#writeManifest({
      ...this.#manifest,
      closed: {
        ended_at: new Date().toISOString(),
        stop_reason: stopReason,
        records: this.#count,
        generated_token_ids: [...generatedTokenIds],
        trace_sha256: this.#records.close(),
        tensors_sha256: this.#tensors.close(),
      },
    })
  }

  /** Takes back what was written. */
  discard(): void {
    for (const file of FILES) rmSync(join(this.#directory, file), { force: true })
  }

  #writeManifest(manifest: TraceManifest): void {
    const path = join(this.#directory, FILES[0])
    writeFileSync(`${path}.tmp`, manifestText(manifest))
    renameSync(`${path}.tmp`, path)
  }
}

class HashedFile {
  readonly #file: number
  readonly #hash = createHash('sha256')
  size = 0

  constructor(path: string) {
    this.#file = openSync(path, 'w')
  }

  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at)
    this.#hash.update(bytes)
    this.size += bytes.length
  }

  close(): string {
    closeSync(this.#file)
    return this.#hash.digest('hex')
  }
}

/** Over the finite values; NaN where there are none. */
function statsOf(values: Float32Array): TraceRecord['stats'] {
  let min = Number.NaN
  let max = Number.NaN
  let sum = 0
  let squares = 0
  let nonfinite = 0
  for (const x of values) {
    if (!Number.isFinite(x)) {
      nonfinite++
      continue
    }
    if (!(x >= min)) min = x
    if (!(x <= max)) max = x
    sum += x
    squares += x * x
  }
  const finite = values.length - nonfinite
  return {
    min: traceNumber(min),
    max: traceNumber(max),
    mean: traceNumber(sum / finite),
    rms: traceNumber(Math.sqrt(squares / finite)),
    nonfinite,
  }
}

function traceNumber(x: number): TraceNumber {
  return Number.isFinite(x) ? x : (String(x) as TraceNumber)
}

/** The shortest decimal that rounds to the same float32, as the worker writes it. */
function shortest(x: number): TraceNumber {
  if (!Number.isFinite(x)) return traceNumber(x)
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(x.toPrecision(digits))
    if (Math.fround(short) === x) return short
  }
  return Number(x.toPrecision(9))
}

function refusal(directory: string, why: string): PlumblineError {
  return new PlumblineError('INVALID_OPTION', `cannot write a trace to --out ${directory}: ${why}`, {
    option: '--out',
    directory,
  })
}
