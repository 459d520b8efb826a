import { type Dirent, existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import type { Recording } from '../recording/recording.ts'
import { dialectOf, openCheckpointJsonl } from './checkpoint-jsonl.ts'
import { scanJsonLines } from './json-lines.ts'
import { placeInJsonFile, placeOfFlaw } from './json-place.ts'
import { JSONL_FORMAT, openJsonl } from './jsonl.ts'
import { openLlamaCppJson } from './llama-cpp-json.ts'
import { looksLikeLlamaDebug, openLlamaDebug } from './llama-debug.ts'
import { openLlamaResults } from './llama-results.ts'
import { openNpy } from './npy.ts'
import { looksLikeNpy } from './npy-header.ts'
import { openNpz } from './npz.ts'
import { openParquet } from './parquet.ts'
import { openPlumblineTrace } from './plumbline-trace.ts'
import { openRawF32, RAW_F32_FORMAT } from './raw-f32.ts'
import { invalid, RecordingFile, statsOf, unreadable, unreadableAt, withFile } from './recording-file.ts'
import { openSafetensors } from './safetensors.ts'
import { looksLikeSafetensors } from './safetensors-header.ts'
import { JsonFlaw, parseStrictJson } from './strict-json.ts'

const START_BYTES = 1 << 16
const KNOWN =
  'a trace folder, safetensors with their JSON, .npy, .npz, raw-f32, llama.cpp JSON, llama-results, llama-debug, JSONL and Parquet'

/**
 * Opens a file or folder that holds recorded values, in whichever format its content shows; names do not matter. Throws
 * UNREADABLE_RECORDING where there is nothing, or nothing known, and INVALID_RECORDING where the damage leaves nothing to look at;
 * lesser damage is in `faults`.
 */
export async function openRecording(path: string): Promise<Recording> {
  return statsOf(path).isDirectory() ? openFolder(path) : openFile(path)
}

async function openFolder(path: string): Promise<Recording> {
  if (existsSync(join(path, 'manifest.json'))) return openPlumblineTrace(path)
  const files = readFolder(path)
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map(({ name }) => join(path, name))
    .filter((file) => statsOf(file).isFile())
    .sort()
  const starts = files.map((file) => withFile(file, (open) => open.bytes(0, 16)))
  const safetensors = files.filter((_, index) => looksLikeSafetensors(starts[index]!))
  if (safetensors.length > 0) return openSafetensors(path, safetensors)
  const arrays = files.filter((_, index) => looksLikeNpy(starts[index]!))
  if (arrays.length > 0) return openNpy(path, arrays)
  throw unreadable(path, `holds no recording: there must be a manifest.json (a trace), safetensors or .npy arrays`)
}

function readFolder(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true })
  } catch (error) {
    throw unreadable(path, `cannot be read: ${(error as Error).message}`, error)
  }
}

async function openFile(path: string): Promise<Recording> {
  const file = new RecordingFile(path)
  try {
    const opened = await openKnown(file)
    if (opened.ownsFile) return opened.recording
    file.close()
    return opened.recording
  } catch (error) {
    file.close()
    throw error
  }
}

const ofFile = (recording: Recording) => ({ recording, ownsFile: true })
const ofPath = (recording: Recording) => ({ recording, ownsFile: false })

async function openKnown(file: RecordingFile): Promise<{ recording: Recording; ownsFile: boolean }> {
  const { path } = file
  const start = file.bytes(0, START_BYTES)
  if (start.length === 0) throw unreadableAt({ file: path, byteOffset: 0 }, 'is empty')
  const magic = start.toString('latin1', 0, 4)
  if (magic === 'PAR1') return ofFile(await openParquet(file))
  if (magic === 'GGUF') return ofFile(openLlamaResults(file))
  if (magic.startsWith('PK')) return ofFile(await openNpz(file))
  if (looksLikeNpy(start)) return ofPath(openNpy(path, [path]))
  if (looksLikeSafetensors(start)) return ofPath(openSafetensors(path, [path]))
  const compressed = COMPRESSIONS.find(([bytes]) => start.subarray(0, bytes.length).equals(bytes))
  if (compressed !== undefined)
    throw unreadableAt(
      { file: path, byteOffset: 0 },
      `is compressed with ${compressed[1]}: unpack it first (${compressed[2]})`,
    )
  if (start[0] === 0x7b) return openJson(file)
  if (looksLikeLlamaDebug(start) || looksLikeText(file)) return ofFile(openLlamaDebug(file))
  const encoding = ENCODINGS.find(([bytes]) => start.subarray(0, bytes.length).equals(bytes))
  if (encoding !== undefined) {
    const message = `begins with the byte order mark of ${encoding[1]}; a text is read only as UTF-8 without one`
    throw unreadableAt({ file: path, byteOffset: 0 }, message)
  }
  const beginning = start.toString('hex', 0, 8)
  throw unreadableAt(
    { file: path, byteOffset: 0 },
    `its first bytes, ${beginning}, are of no format that is known (${KNOWN})`,
  )
}

/** UTF-32 before UTF-16, which begins alike. */
const ENCODINGS: readonly (readonly [Buffer, string])[] = [
  [Buffer.from('efbbbf', 'hex'), 'UTF-8 (BOM)'],
  [Buffer.from('fffe0000', 'hex'), 'UTF-32'],
  [Buffer.from('fffe', 'hex'), 'UTF-16'],
  [Buffer.from('feff', 'hex'), 'UTF-16'],
]

const COMPRESSIONS: readonly (readonly [Buffer, string, string])[] = [
  [Buffer.from('1f8b', 'hex'), 'gzip', 'gunzip'],
  [Buffer.from('28b52ffd', 'hex'), 'zstd', 'unzstd'],
  [Buffer.from('425a68', 'hex'), 'bzip2', 'bunzip2'],
  [Buffer.from('fd377a585a00', 'hex'), 'xz', 'unxz'],
  [Buffer.from('04224d18', 'hex'), 'lz4', 'unlz4'],
]

/** A log may begin with anything; its nodes are looked for in its first megabytes. */
function looksLikeText(file: RecordingFile): boolean {
  const bytes = file.bytes(0, 8 << 20)
  return !bytes.subarray(0, START_BYTES).includes(0) && looksLikeLlamaDebug(bytes)
}

const wholeSchema = z.looseObject({
  format: z.unknown().optional(),
  records: z.unknown().optional(),
  checkpoints: z.unknown().optional(),
})

/** A JSON document, or lines of it. */
async function openJson(file: RecordingFile): Promise<{ recording: Recording; ownsFile: boolean }> {
  const { path } = file
  const begins = { file: path, line: 1, byteOffset: 0 }
  const [first] = scanJsonLines(file)
  const record = first?.record
  const dialect = dialectOf(record)
  if (dialect !== undefined) return ofFile(openCheckpointJsonl(file, dialect))
  if (isObject(record) && record.format === JSONL_FORMAT) return ofFile(await openJsonl(file))
  if (isObject(record) && 'v' in record && 'nbytes' in record && basename(path) !== path) {
    throw unreadableAt(begins, 'is the record file of a trace: open its folder')
  }
  const whole = wholeOf(file)
  if (whole.format === RAW_F32_FORMAT) return ofPath(await openRawF32(path))
  if (Array.isArray(whole.records)) return ofFile(openLlamaCppJson(file))
  if (whole.checkpoints !== undefined) {
    const beside = path.replace(/\.json$/, '.safetensors')
    if (beside !== path && existsSync(beside)) return ofPath(openSafetensors(path, [beside]))
    throw unreadableAt(
      placeInJsonFile(path, ['checkpoints']),
      'tells of tensors, and there is no .safetensors beside it',
    )
  }
  throw unreadableAt(begins, `begins like JSON, and is in no format that is known (${KNOWN})`)
}

const MAX_JSON_BYTES = 32 << 20

/** The document, as far as it must be known to tell what it is. Throws UNREADABLE_RECORDING where it is none, INVALID_RECORDING where it is damaged. */
function wholeOf(file: RecordingFile): z.output<typeof wholeSchema> {
  if (file.size > MAX_JSON_BYTES)
    throw unreadableAt({ file: file.path, line: 1, byteOffset: 0 }, `is ${file.size} bytes of JSON, and no known JSONL`)
  const bytes = file.bytes(0, file.size)
  let value: unknown
  try {
    value = parseStrictJson(bytes)
  } catch (error) {
    if (!(error instanceof JsonFlaw)) throw error
    const place = placeOfFlaw(file.path, bytes, error)
    // JSON it is, and damaged.
    if (error.offset !== undefined) throw invalid(place, error.message)
    throw unreadableAt(place, `is neither JSON nor JSONL of a known kind: ${error.message}`, error)
  }
  const { success, data } = wholeSchema.safeParse(value)
  if (!success) throw unreadableAt({ file: file.path, line: 1, byteOffset: 0 }, 'is JSON, and no object')
  return data
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
