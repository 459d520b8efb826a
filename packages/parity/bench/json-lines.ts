import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { openRecording } from '../src/formats/open-recording.ts'
import { median, stopwatch } from './row.ts'

const LINES = 2000
const LINE_VALUES = 4096

/** How many times as fast as JSON.parse of the same lines a file is opened and all its values read: by the clock and by CPU time. */
export async function measureJsonLines(
  path: string,
  dtype: 'f32' | 'f64',
  write: (value: number) => string,
  rounds: number,
) {
  const file = openSync(path, 'w')
  for (let index = 0; index < LINES; index++) {
    const values = Array.from({ length: LINE_VALUES }, (_, at) => write(Math.fround(Math.sin(index * 7 + at) * 10)))
    const head = `"checkpoint":"logits","team":"a","token_idx":${index},"dtype":"${dtype}","shape":"[${LINE_VALUES}]"`
    writeSync(file, `{${head},"values":[${values}]}\n`)
  }
  closeSync(file)
  const lines = readFileSync(path, 'latin1').trimEnd().split('\n')
  const times: number[] = []
  const cpus: number[] = []
  for (let round = 0; round < rounds; round++) {
    const parsing = stopwatch()
    for (const line of lines) JSON.parse(line)
    const parsed = parsing()
    const reading = stopwatch()
    await readWhole(path)
    const read = reading()
    console.error(parsed.seconds.toFixed(3), read.seconds.toFixed(3))
    times.push(parsed.seconds / read.seconds)
    cpus.push(parsed.cpuSeconds / read.cpuSeconds)
  }
  return { times: median(times), cpu: median(cpus) }
}

async function readWhole(path: string): Promise<void> {
  const recording = await openRecording(path)
  for (const { checkpoints } of recording.runs) {
    for (const checkpoint of checkpoints.values()) {
      for (let index = 0; index < checkpoint.slabCount; index++) checkpoint.slab(index).read()
    }
  }
  recording.close()
}
