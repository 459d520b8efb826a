import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../test/helpers/recordings.ts'
import { checkValues } from './check-values.ts'
import { openRecording } from './open-recording.ts'
import { describePlace } from './recording-file.ts'
import { parseStrictJson } from './strict-json.ts'

/** The first thing that is said of a recording. */
async function firstSaid(path: string): Promise<string> {
  try {
    const recording = await openRecording(path)
    try {
      const [fault] = [...recording.faults, ...checkValues(recording)]
      return fault === undefined ? 'nothing' : `${describePlace(fault)}: ${fault.message}`
    } finally {
      recording.close()
    }
  } catch (error) {
    return (error as Error).message
  }
}

const line = (more = '', values = '1.5,2.5', index = 0) =>
  `{"checkpoint":"logits","team":"a","token_idx":${index},"dtype":"f32","shape":"[2]"${more},"values":[${values}]}\n`
const NUL = '\0'

describe('JSONL is not called sound', () => {
  const first = line()
  const second = (text: string) => Buffer.concat([Buffer.from(first), Buffer.from(text, 'latin1')])
  it.each([
    ['with the NULs that a crash left after it', second(NUL.repeat(5000)), /, line 2, byte 96: the file ends within/],
    ['with a line of NULs', second(`${NUL.repeat(5000)}\n`), /, line 2, byte 96: is not JSON: .*\\u0000/],
    ['with a NUL between its values', second(line('', `1.5,${NUL}2.5`, 1)), /, line 2, byte \d+: .*a number must/],
    ['with bytes that are not UTF-8', second(line(',"x":"\xff\xfe"', undefined, 1)), /, line 2, byte 96: .*0xff/],
    [
      'with a member twice in a line',
      second(line(',"token_idx":7', undefined, 1)),
      /, line 2, byte 96: has "token_idx" twice/,
    ],
    ['with one of them spelt otherwise', second(line(',"t\\u0065am":"b"', undefined, 1)), /has "team" twice/],
    ['with a member twice in a member', second(line(',"x":{"y":1,"y":1}', undefined, 1)), /has "y" twice/],
  ])('%s', async (_, bytes, said) => {
    const path = join(temporaryFolder(), 'x.jsonl')
    writeFileSync(path, bytes)
    expect(await firstSaid(path)).toMatch(said)
  })

  it('with a member twice in its first line', async () => {
    const path = join(temporaryFolder(), 'x.jsonl')
    writeFileSync(path, line(',"token_idx":7'))
    await expect(openRecording(path)).rejects.toMatchObject({
      code: 'INVALID_RECORDING',
      message: `${path}, line 1, byte 76: has "token_idx" twice`,
    })
  })

  it('and is where nothing is wrong, with names and brackets in strings', async () => {
    const path = join(temporaryFolder(), 'x.jsonl')
    writeFileSync(path, line(',"x":{"team":"[{\\"a\\":1,\\"a\\":2","é":["team","team"]}'))
    expect(await firstSaid(path)).toBe('nothing')
  })
})

it.each([
  ['two lists of token ids', '{\n "ids": [1],\n "ids": [2]}', ', line 3, byte 16: has "ids" twice'],
  [
    'bytes that are not UTF-8',
    '{\n "engine": "\xff"}',
    ', line 2, byte 14: is not UTF-8: the byte 0xff cannot stand here',
  ],
  ['a byte order mark', '\xef\xbb\xbf{}', ', line 1, byte 0: begins with a byte order mark (BOM)'],
  ['NULs after it', `{}${NUL}${NUL}`, ', line 1, byte 2: is not JSON: '],
])('a JSON beside tensors is refused that has %s', async (_, text, said) => {
  const folder = join(temporaryFolder(), 'x')
  mkdirSync(folder)
  const header = Buffer.from('{"logits":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}')
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  writeFileSync(join(folder, 'x.safetensors'), Buffer.concat([length, header, Buffer.alloc(8)]))
  expect(await firstSaid(folder)).toBe('nothing')
  writeFileSync(join(folder, 'x.json'), Buffer.from(text, 'latin1'))
  expect(await firstSaid(folder)).toContain(`${join(folder, 'x.json')}${said}`)
})

it('safetensors that hold no tensor are not called sound', async () => {
  const path = join(temporaryFolder(), 'x.safetensors')
  writeFileSync(path, Buffer.from('02000000000000007b7d', 'hex'))
  expect(await firstSaid(path)).toBe(`${path}, byte 8: its header names no tensor`)
})

it('JSON nested millions deep is refused by name, and takes no stack', async () => {
  const path = join(temporaryFolder(), 'x.jsonl')
  writeFileSync(path, `{"checkpoint":"logits","values":${'['.repeat(2_000_000)}\n`)
  expect(await firstSaid(path)).toContain(`${path}, line 1, byte 95: `)
  expect(await firstSaid(path)).toContain('is nested deeper than 64')
})

it('a JSONL file with a byte order mark is refused by that name', async () => {
  const path = join(temporaryFolder(), 'x.jsonl')
  writeFileSync(path, `\ufeff${line()}`)
  expect(await firstSaid(path)).toContain(`${path}, byte 0: begins with the byte order mark of UTF-8`)
})

it('takes what JSON.parse takes', () => {
  const texts = ['{}', '[]', '1', '"a:b"', '{"":{"":1}}', '[{"a":1},{"a":1}]', '{"a\\\\":1,"a":2}', '{"__proto__":1}']
  for (const text of texts) expect(parseStrictJson(Buffer.from(text))).toEqual(JSON.parse(text))
})
