import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PlumblineError } from '@plumbline/protocol'
import { afterAll, expect, it } from 'vitest'
import { exampleRecordings } from '../../test/helpers/example-recordings.ts'
import { checkValues } from './check-values.ts'
import { openRecording } from './open-recording.ts'
import { describePlace } from './recording-file.ts'

const sound = mkdtempSync(join(tmpdir(), 'plumbline-places-'))
afterAll(() => rmSync(sound, { recursive: true }))
const examples = new Map((await exampleRecordings(sound)).map((example) => [example.name, example]))

/** The file of that name in the example, changed; and the first thing that is said of it. */
async function firstSaid(example: string, name: string, change: (bytes: Buffer) => Buffer | string): Promise<string> {
  const { path, files } = examples.get(example)!
  const file = files.find((candidate) => candidate.endsWith(name))!
  const before = readFileSync(file)
  writeFileSync(file, change(Buffer.from(before)))
  try {
    const recording = await openRecording(path)
    try {
      const [fault] = [...recording.faults, ...checkValues(recording)]
      return fault === undefined ? 'nothing' : `${describePlace(fault)}: ${fault.message}`.replace(sound, '')
    } finally {
      recording.close()
    }
  } catch (error) {
    expect(error).toBeInstanceOf(PlumblineError)
    return (error as Error).message.replace(sound, '')
  } finally {
    writeFileSync(file, before)
  }
}

const text = (change: (text: string) => string) => (bytes: Buffer) => change(bytes.toString('utf8'))
const replace = (from: string | RegExp, to: string) => text((whole) => whole.replace(from, to))
const cut = (bytes: Buffer) => bytes.subarray(0, bytes.length - 5)
const flipLast = (bytes: Buffer) => {
  bytes[bytes.length - 1]! ^= 1
  return bytes
}
const inLine = (number: number, from: RegExp, to: string) =>
  text((whole) => {
    const lines = whole.split('\n')
    lines[number - 1] = lines[number - 1]!.replace(from, to)
    return lines.join('\n')
  })

it.each([
  ['trace', 'manifest.json', replace('"level"', '"Level"'), /^\/trace\/manifest\.json, line \d+, byte \d+: level: /],
  [
    'trace',
    'manifest.json',
    (bytes: Buffer) => bytes.subarray(0, 40),
    /manifest\.json, line \d+, byte \d+: is not JSON/,
  ],
  [
    'trace',
    'manifest.json',
    replace(/"records":\s*\d+/, '"records": 99'),
    /trace\.jsonl, line \d+, byte \d+: has \d+ whole records/,
  ],
  ['trace', 'trace.jsonl', inLine(3, /"nbytes":\d+/, '"nbytes":1'), /trace\.jsonl, line 3, byte \d+: has 1 bytes/],
  ['trace', 'tensors.bin', flipLast, /tensors\.bin, byte 0: its sha256 is/],
  ['trace', 'tensors.bin', cut, /trace\.jsonl, line \d+, byte \d+: its values end at byte/],
  ['transformers', '.json', replace('"ids"', '"ids" 1'), /prompt-0\.json, line \d+, byte \d+: is not JSON/],
  ['transformers', '.json', replace(/"ids":\s*\[/, '"ids": ["x",'), /prompt-0\.json, line \d+, byte \d+: ids\.0/],
  ['transformers', '.safetensors', cut, /prompt-0\.safetensors, byte \d+: /],
  ['llama-cpp', '.json', replace(/"ids":\s*\[/, '"ids": ["x",'), /stories\.json, line \d+, byte \d+: /],
  ['npy', '.npy', cut, /logits\.npy, byte \d+: /],
  ['raw', '.json', replace('logits.f32', '../logits.f32'), /raw\.json, line 3, byte \d+: data: /],
  ['raw', '.f32', flipLast, /logits\.f32, byte 0: its sha256/],
  ['llama-results', '.gguf', cut, /results\.gguf, byte \d+: /],
  ['llama-debug', '.txt', replace(/^.*sum = .*$/m, ''), /debug\.txt, line \d+, byte \d+: .* is not whole/],
  [
    'checkpoint-jsonl',
    '.jsonl',
    inLine(2, /"values":\[/, '"values":[x'),
    /checkpoints\.jsonl, line 2, byte \d+: a number must stand here/,
  ],
  ['checkpoint-jsonl', '.jsonl', inLine(2, /\}$/, ''), /checkpoints\.jsonl, line 2, byte \d+: is not JSON/],
  ['checkpoint-jsonl', '.jsonl', cut, /checkpoints\.jsonl, line \d+, byte \d+: the file ends within this line/],
  ['team-jsonl', '.jsonl', inLine(1, /"dtype":"\w+"/, '"dtype":"x"'), /teams\.jsonl, line 1, byte 0: /],
  [
    'converted-jsonl',
    '.jsonl',
    text((whole) => whole.replace(/\n[^\n]*\n$/, '\n')),
    /x\.jsonl, line \d+, byte \d+: the line that closes/,
  ],
  ['converted-safetensors', '.safetensors', flipLast, /x\.safetensors, byte 0: the sha256/],
  ['converted-npz', '.npz', cut, /x\.npz, byte \d+: is no sound zip archive/],
  ['converted-parquet', '.parquet', cut, /x\.parquet, byte \d+: has no footer/],
] as const)('says where %s is wrong: %s', async (example, name, change, said) => {
  expect(await firstSaid(example, name, change)).toMatch(said)
})
