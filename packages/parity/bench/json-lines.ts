import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { openRecording } from './built.ts'

const LINES = 3000
const LINE_VALUES = 4096

/** How many times as fast as JSON.parse of the same lines a file is opened and all its values read: the best of either. */
export async function measureJsonLines(
  path: string,
  dtype: 'f32' | 'f64',
  write: (value: number) => string,
  repetitions: number,
): Promise<number> {
  const file = openSync(path, 'w')
  for (let index = 0; index < LINES; index++) {
    const values = Array.from({ length: LINE_VALUES }, (_, at) => write(Math.fround(Math.sin(index * 7 + at) * 10)))
    const head = `"checkpoint":"logits","team":"a","token_idx":${index},"dtype":"${dtype}","shape":"[${LINE_VALUES}]"`
    writeSync(file, `{${head},"values":[${values}]}\n`)
  }
  closeSync(file)
  const lines = readFileSync(path, 'latin1').trimEnd().split('\n')
  let parsing = Number.POSITIVE_INFINITY
  let reading = Number.POSITIVE_INFINITY
  for (let repetition = 0; repetition <= repetitions; repetition++) {
    let begun = performance.now()
    for (const line of lines) JSON.parse(line)
    parsing = Math.min(parsing, performance.now() - begun)
    begun = performance.now()
    await readWhole(path)
    reading = Math.min(reading, performance.now() - begun)
  }
  return parsing / reading
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
