import { statSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { PlumblineError, traceNumberSchema } from '@plumbline/protocol'
import { openPromise } from 'yauzl'
import { ZipFile } from 'yazl'
import { z } from 'zod'
import { decodeNpy, encodeNpy, type NpyArray } from './npy-array.ts'

const count = z.int().min(0)

/** How the op is computed from the bundle's arrays. */
const replaySchema = z.discriminatedUnion('op', [
  /** weights/rows [columns, inputs] x input [inputs] + weights/bias [columns] */
  z.strictObject({ op: z.literal('linear') }),
  z.strictObject({ op: z.literal('rms_norm'), epsilon: z.number() }),
  z.strictObject({
    op: z.literal('rope'),
    pairing: z.enum(['neighbours', 'halves']),
    head_length: count,
    heads: count,
  }),
  /** One head: its query, and the keys and values [positions, length] of the key-value head that serves it. */
  z.strictObject({ op: z.literal('attention'), head: count, key_length: count, value_length: count }),
  /** silu(inputs[0]) * inputs[1] */
  z.strictObject({ op: z.literal('swiglu') }),
  z.strictObject({ op: z.literal('add') }),
  z.strictObject({ op: z.literal('embedding'), token_id: count }),
])

/** repro.json: one op at one position of two forward passes, to be computed again from what lies beside it. */
export const reproSchema = z.strictObject({
  v: z.literal(1),
  verdict: z.string(),
  checkpoint: z.string(),
  position: count,
  phase: z.enum(['prefill', 'decode']).nullable(),
  /** On NMSE. */
  tolerance: z.number(),
  /** Of the whole row, as compared. */
  nmse: traceNumberSchema,
  origin: z.enum(['local', 'inherited', 'unknown']),
  cause: z.strictObject({ mistake: z.string(), message: z.string() }).nullable(),
  /** Values in a full row. */
  width: count,
  /** Which of them the bundle holds. */
  columns: z.array(count).min(1),
  /** What the op reads; <side>/<name>.npy holds each. */
  inputs: z.array(z.string()),
  /** Sides whose inputs the bundle holds. */
  sides: z.array(z.enum(['candidate', 'reference'])),
  /** null where neither model nor inputs were at hand: then only the outputs can be looked at. */
  replay: replaySchema.nullable(),
  /** What was left out and why, for people. */
  notes: z.array(z.string()),
})
export type Repro = z.output<typeof reproSchema>
export type Replay = z.output<typeof replaySchema>

/** A bundle's parts; `arrays` by path within it, without .npy. */
export interface Bundle {
  readonly repro: Repro
  readonly arrays: ReadonlyMap<string, NpyArray>
}

/** No bundle is larger. */
export const LARGEST_BUNDLE_BYTES = 1_000_000

/** The same bundle gives the same bytes. */
export function zipBundle({ repro, arrays }: Bundle, readme: string): Promise<Buffer> {
  const zip = new ZipFile()
  // The DOS time stamp is in local time and has no zone; a local date is the same bits everywhere.
  const options = { mtime: new Date(1980, 0, 1), mode: 0o100644, forceDosTimestamp: true }
  zip.addBuffer(Buffer.from(readme), 'README.md', options)
  zip.addBuffer(Buffer.from(`${JSON.stringify(repro, null, 2)}\n`), 'repro.json', options)
  for (const [path, array] of arrays) zip.addBuffer(encodeNpy(array), `${path}.npy`, options)
  zip.end()
  return buffer(zip.outputStream)
}

/** Uncompressed; a bundle comes from elsewhere, and a zip can hold a thousand times its size. */
const LARGEST_CONTENT = 16_000_000

/** Throws UNREADABLE_RECORDING where there is no bundle, INVALID_RECORDING where it is damaged. */
export async function readBundle(path: string): Promise<Bundle> {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new PlumblineError('UNREADABLE_RECORDING', `${path} is no file`, { file: path })
  }
  const files = new Map<string, Buffer>()
  try {
    const zip = await openPromise(path)
    let total = 0
    for await (const entry of zip.eachEntry()) {
      total += entry.uncompressedSize
      if (total > LARGEST_CONTENT) throw new Error(`it would unpack to more than ${LARGEST_CONTENT} bytes`)
      const bytes = await buffer(await zip.openReadStreamPromise(entry))
      if (crc32(bytes) !== entry.crc32) throw new Error(`${entry.fileName} does not match its checksum`)
      files.set(entry.fileName, bytes)
    }
  } catch (error) {
    throw invalid(path, `cannot be unpacked: ${(error as Error).message}`, error)
  }
  const arrays = new Map(
    [...files]
      .filter(([name]) => name.endsWith('.npy'))
      .map(([name, bytes]) => [name.slice(0, -4), decodeNpy(bytes, `${path}: ${name}`)]),
  )
  const text = files.get('repro.json')?.toString()
  if (text === undefined) throw invalid(path, 'holds no repro.json')
  try {
    return { repro: reproSchema.parse(JSON.parse(text)), arrays }
  } catch (error) {
    throw invalid(path, `has a repro.json that is none: ${(error as Error).message}`, error)
  }
}

function invalid(path: string, what: string, cause?: unknown): PlumblineError {
  return new PlumblineError('INVALID_RECORDING', `${path} ${what}`, { file: path }, cause)
}
