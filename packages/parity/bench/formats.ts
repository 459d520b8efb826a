// `pnpm --filter @plumbline/parity bench-formats`: how fast recordings are opened and read, beside JSON.parse of the same lines, and how
// much memory it takes. A sparse trace of 10 GB stands for a large one.
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkpointNames } from '@plumbline/protocol'
import { openRecording } from '../src/formats/open-recording.ts'
import type { Recording } from '../src/recording/recording.ts'

const LAYERS = 32
const WIDTH = 2560
const RECORDS = 1_000_000
const LINES = 1000
const LINE_VALUES = 4096

const MANIFEST = {
  v: 1,
  run: 'bench',
  level: 'ops',
  model: { name: 'bench', sha256: null, architecture: 'llama', quant_kind: 'F32', layers: LAYERS, vocab_size: WIDTH },
  tokenizer_sha256: null,
  chat_template_sha256: null,
  prompt_token_ids: [1],
  sampling: { temperature: 0, top_k: 0, top_p: 1, min_p: 0, repetition_penalty: 1, seed: '1' },
  max_tokens: 1,
  engine: { name: 'plumbline', version: '0.1.0', commit: null },
  backend: 'cpu',
  device: 'cpu',
  precision: 'exact',
  dtypes: { weights: 'F32', activations: 'F32', kv_cache: 'F32' },
  not_observed: [],
  unfused: false,
  started_at: '2026-01-01T00:00:00Z',
}

const folder = mkdtempSync(join(tmpdir(), 'plumbline-bench-'))
try {
  await trace(join(folder, 'manifest.json'))
  console.log(`resident memory at most ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`)
  await jsonLines('nine digits', (value) => String(Number(value.toPrecision(9))))
  await jsonLines('seventeen digits', String)
} finally {
  rmSync(folder, { recursive: true })
}

/** Never closed, since its hashes would take longer than all else: a fault, which reading does not mind. */
async function trace(manifestPath: string): Promise<void> {
  const records = openSync(join(folder, 'trace.jsonl'), 'w')
  const names = checkpointNames(LAYERS)
  let text = ''
  for (let index = 0; index < RECORDS; index++) {
    const name = names[index % names.length]!
    const pos = Math.floor(index / names.length)
    const layer = name.startsWith('blk.') ? Number(name.split('.')[1]) : null
    const stats = { min: 0, max: 0, mean: 0, rms: 0, nonfinite: 0 }
    const shape = [1, WIDTH]
    const [offset, nbytes] = [index * WIDTH * 4, WIDTH * 4]
    const phase = pos < 1 ? 'prefill' : 'decode'
    text += `${JSON.stringify({ v: 1, run: 'bench', phase, pos, n: 1, layer, name, dtype: 'F32', shape, stats, offset, nbytes, values: [0] })}\n`
    if (text.length > 1 << 20) {
      writeSync(records, text)
      text = ''
    }
  }
  writeSync(records, text)
  closeSync(records)
  const tensors = openSync(join(folder, 'tensors.bin'), 'w')
  ftruncateSync(tensors, RECORDS * WIDTH * 4)
  closeSync(tensors)
  writeFileSync(manifestPath, JSON.stringify(MANIFEST))

  const opening = performance.now()
  const recording = await openRecording(folder)
  const opened = performance.now()
  const bytes = readAll(recording)
  const read = performance.now()
  recording.close()
  console.log(
    `trace of ${(bytes / 1e9).toFixed(1)} GB in ${RECORDS} records: opened (hashed and indexed) in ${seconds(opened - opening)}, read in ${seconds(read - opened)}: ${(bytes / 1e6 / (read - opened)).toFixed(2)} GB/s`,
  )
}

async function jsonLines(what: string, write: (value: number) => string): Promise<void> {
  const path = join(folder, 'x.jsonl')
  const file = openSync(path, 'w')
  for (let index = 0; index < LINES; index++) {
    const values = Array.from({ length: LINE_VALUES }, (_, at) => write(Math.fround(Math.sin(index * 7 + at) * 10)))
    writeSync(
      file,
      `{"checkpoint":"logits","team":"a","token_idx":${index},"dtype":"f32","shape":"[${LINE_VALUES}]","values":[${values}]}\n`,
    )
  }
  closeSync(file)
  const lines = readFileSync(path, 'latin1').trimEnd().split('\n')
  const parse = best(() => lines.reduce((sum, line) => sum + JSON.parse(line).values.length, 0))
  const times = []
  for (let round = 0; round < 3; round++) {
    const begun = performance.now()
    const recording = await openRecording(path)
    readAll(recording)
    recording.close()
    times.push(performance.now() - begun)
  }
  const ours = Math.min(...times)
  console.log(
    `JSONL, ${what}: ${(statSync(path).size / 1e6 / ours).toFixed(3)} GB/s, ${(parse / ours).toFixed(2)} x JSON.parse of its lines`,
  )
}

function readAll(recording: Recording): number {
  let bytes = 0
  for (const run of recording.runs) {
    for (const checkpoint of run.checkpoints.values()) {
      for (let index = 0; index < checkpoint.slabCount; index++) bytes += checkpoint.slab(index).read().byteLength
    }
  }
  return bytes
}

function best(work: () => number): number {
  const times = Array.from({ length: 3 }, () => {
    const begun = performance.now()
    work()
    return performance.now() - begun
  })
  return Math.min(...times)
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}
