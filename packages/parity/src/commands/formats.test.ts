import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { exampleMemory, writeExampleTrace } from '../../test/helpers/example-recordings.ts'
import { temporaryFolder } from '../../test/helpers/recordings.ts'
import { runParity } from '../../test/helpers/run-parity.ts'
import { refusalDocumentSchema } from '../report/json-document.ts'
import {
  convertJsonSchema,
  inspectJsonSchema,
  noiseFloorJsonSchema,
  queryJsonSchema,
  validateJsonSchema,
} from '../report/recording-json.ts'

it('validates: 0 for sound, 4 with what is wrong, 5 for what cannot be read', async () => {
  const folder = temporaryFolder()
  writeExampleTrace(folder, exampleMemory())
  expect(await runParity(['validate', folder])).toMatchObject({
    exitCode: 0,
    stdout: `${folder}: sound (plumbline-trace)\n`,
  })
  const tensors = join(folder, 'tensors.bin')
  const bytes = readFileSync(tensors)
  bytes[100]! ^= 1
  writeFileSync(tensors, bytes)
  const damaged = await runParity(['validate', '--json', folder])
  expect(damaged.exitCode).toBe(4)
  expect(validateJsonSchema.parse(JSON.parse(damaged.stdout))).toMatchObject({
    schema: 'plumbline-parity/validate',
    version: 1,
    exit_code: 4,
    format: 'plumbline-trace',
    faults: [
      { kind: 'checksum', file: tensors },
      { kind: 'statistics', line: 2 },
    ],
  })
  const nothing = join(folder, 'nothing')
  expect(await runParity(['validate', nothing])).toMatchObject({
    exitCode: 5,
    stdout: `${nothing}: 1 fault\n  malformed: ${nothing}: is not there\n`,
  })
})

it('validate says once where it is that a file is damaged', async () => {
  const folder = temporaryFolder()
  writeExampleTrace(folder, exampleMemory())
  const manifest = join(folder, 'manifest.json')
  writeFileSync(manifest, '{"v":1')
  const { exitCode, stdout } = await runParity(['validate', folder])
  expect(stdout.split(manifest)).toHaveLength(2)
  expect(stdout).toContain(`  malformed: ${manifest}, line 1, byte 6: is not JSON: `)
  expect(exitCode).toBe(4)
})

it('validate says once where a value is that is no number', async () => {
  const path = join(temporaryFolder(), 'x.jsonl')
  writeFileSync(
    path,
    '{"checkpoint":"logits","team":"a","token_idx":0,"dtype":"f32","shape":"[2]","values":[1.5,NaN.0]}\n',
  )
  expect(await runParity(['validate', path])).toMatchObject({
    exitCode: 4,
    stdout: `${path}: 1 fault\n  malformed: ${path}, line 1, byte 93: a number must stand here\n`,
  })
})

it('a trace whose manifest states no hash of itself is sound, and told to be unguarded', async () => {
  const folder = temporaryFolder()
  writeExampleTrace(folder, exampleMemory())
  const path = join(folder, 'manifest.json')
  writeFileSync(path, readFileSync(path, 'utf8').replace(/,"manifest_sha256":"\w+"/, ''))
  const told = 'unguarded: manifest.json: it states no sha256 of itself'
  expect(await runParity(['validate', folder])).toMatchObject({
    exitCode: 0,
    stdout: `${folder}: sound (plumbline-trace)\n  ${told}\n`,
  })
  expect((await runParity(['inspect', folder])).stdout).toContain(told)
})

it('inspects, converts, and answers SQL over what was converted and what was not', async () => {
  const folder = temporaryFolder()
  const trace = join(folder, 'trace')
  writeExampleTrace(trace, exampleMemory())
  const inspected = inspectJsonSchema.parse(JSON.parse((await runParity(['inspect', '--json', trace])).stdout))
  expect(inspected.runs[0]!.identity.model_name).toBe('example')
  expect(inspected.runs[0]!.checkpoints.at(-1)).toEqual({
    name: 'logits',
    width: 12,
    dtypes: ['F32'],
    positions: [[0, 4]],
    coverage: 1,
  })
  const parquet = join(folder, 'x.parquet')
  expect(await runParity(['convert', trace, parquet, '--to', 'parquet'])).toMatchObject({ exitCode: 0, stderr: '' })
  expect(await runParity(['convert', trace, parquet, '--to', 'parquet'])).toMatchObject({ exitCode: 2 })
  const sql = `SELECT a.op, count(*)::INT AS n, max(abs(a.value - b.value)) AS apart
    FROM recordings a JOIN recordings b USING (checkpoint, pos, col)
    WHERE a.file = '${trace}' AND b.file = '${parquet}' AND a.op = 'logits' GROUP BY 1`
  const answer = await runParity(['query', '--json', sql, trace, parquet])
  expect(answer).toMatchObject({ exitCode: 0, stderr: '' })
  expect(queryJsonSchema.parse(JSON.parse(answer.stdout))).toMatchObject({
    columns: ['op', 'n', 'apart'],
    rows: [{ op: 'logits', n: 60, apart: 0 }],
  })
  expect(await runParity(['query', 'SELEKT', parquet])).toMatchObject({ exitCode: 2 })
}, 180_000)

it('says in one form, whatever the command, why there is nothing to print', async () => {
  const nothing = join(temporaryFolder(), 'nothing')
  for (const [name, args] of [
    ['inspect', ['--json', nothing]],
    ['convert', ['--json', nothing, `${nothing}.npz`, '--to', 'npz']],
    ['query', ['--json', 'SELECT 1', nothing]],
    ['noise-floor', ['--pair', `${nothing}=${nothing}`]],
  ] as const) {
    const { exitCode, stdout } = await runParity([name, ...args])
    expect(exitCode).toBe(5)
    expect(refusalDocumentSchema(name).parse(JSON.parse(stdout))).toEqual({
      schema: `plumbline-parity/${name}`,
      version: 1,
      exit_code: 5,
      refusal: { code: 'UNREADABLE_RECORDING', message: `${nothing} is not there`, file: nothing },
    })
  }
}, 180_000)

it('tells what it converted, and the noise of a recording beside itself, in that form', async () => {
  const trace = join(temporaryFolder(), 'trace')
  writeExampleTrace(trace, exampleMemory())
  const out = `${trace}.npz`
  const converted = await runParity(['convert', '--json', trace, out, '--to', 'npz'])
  expect(convertJsonSchema.parse(JSON.parse(converted.stdout))).toMatchObject({
    out,
    bytes: statSync(out).size,
    runs: 1,
  })
  const floors = await runParity(['noise-floor', '--pair', `${trace}=${out}`])
  expect(noiseFloorJsonSchema.parse(JSON.parse(floors.stdout)).exit_code).toBe(0)
}, 180_000)

it('query prints a table of more rows than a call has room for arguments', async () => {
  const trace = join(temporaryFolder(), 'trace')
  writeExampleTrace(trace, exampleMemory())
  const { exitCode, stdout, stderr } = await runParity(['query', 'SELECT range AS n FROM range(200000)', trace])
  expect([exitCode, stderr]).toEqual([0, ''])
  expect(stdout.trimEnd().split('\n')).toHaveLength(1 + 200_000)
}, 180_000)
