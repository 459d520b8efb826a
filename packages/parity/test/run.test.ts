import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { committedAsset } from '@plumbline/protocol/testing'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { fileSha256 } from '../src/formats/sha256-file.ts'
import { jsonReportSchema } from '../src/report/json-report.ts'
import { runParity } from './helpers/run-parity.ts'

const model = committedAsset('stories260K/stories260K-f32.gguf')
const otherModel = fileURLToPath(new URL('../../../models/haiku-nano/haiku-nano-q8_0.gguf', import.meta.url))
const references = committedAsset('stories260K')
const folder = mkdtempSync(join(tmpdir(), 'plumbline-run-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Two prompts' worth, so that a run takes as few processes as it can. */
const few = join(folder, 'few')
for (const name of ['prompt-0', 'prompt-1']) {
  for (const end of ['json', 'safetensors']) {
    cpSync(join(references, `transformers/${name}.${end}`), join(few, `${name}.${end}`))
  }
}

const run = (...args: string[]) => runParity(['run', '--model', model, '--threads', '2', ...args])
const odd = fileURLToPath(new URL('fixtures/odd-worker.ts', import.meta.url))
const oddWorker = (how: string) => ['--worker-command', `'${process.execPath}' --conditions=source '${odd}' ${how}`]

describe('run', () => {
  test('the worker against all references of its model, of two engines', async () => {
    const out = join(folder, 'kept')
    const { exitCode, stdout } = await run('--reference', references, '--precision', 'exact', '--out', out)
    const [first, ...rest] = stdout.trimEnd().split('\n')
    const unverified = rest.filter((line) => /^ {2}un(verified|checked): /.test(line))
    expect(rest.slice(0, unverified.length)).toEqual(unverified)
    expect(unverified).toContain("  unverified: hashes of the reference's files: no manifest.json lists them")
    expect(unverified).toContain("  unchecked: the reference's sums and activations: none was recorded with its inputs")
    const lines = rest.slice(unverified.length)
    expect(first).toMatch(
      /^SAME: stories260K-f32\.gguf \(exact\) against 3 of 6 references, of 3 only a part; the most NMSE of logits is /,
    )
    expect(lines.map((line) => line.slice(0, 60))).toEqual([
      expect.stringMatching(/^ {2}partial llama\.cpp\.json#prompt-0/),
      expect.stringMatching(/^ {2}ok {6}transformers\/prompt-0/),
      expect.stringMatching(/^ {2}partial llama\.cpp\.json#prompt-1/),
      expect.stringMatching(/^ {2}ok {6}transformers\/prompt-1/),
      expect.stringMatching(/^ {2}partial llama\.cpp\.json#prompt-2/),
      expect.stringMatching(/^ {2}ok {6}transformers\/prompt-2/),
    ])
    expect(lines[0]).toContain('EQUALITY NOT SHOWN: only 10 of 512 logits')
    expect(lines[0]).toContain('; it is shown by transformers/prompt-0.safetensors')
    expect(readdirSync(out)).toEqual(['prompt-0', 'prompt-1', 'prompt-2'])
    expect(exitCode).toBe(0)
  })

  test('a part of the values that differs is BAD, though another reference is the same as a whole', async () => {
    const both = join(folder, 'tampered')
    mkdirSync(both)
    for (const end of ['json', 'safetensors']) {
      cpSync(join(references, `transformers/prompt-0.${end}`), join(both, `prompt-0.${end}`))
    }
    const partial = JSON.parse(readFileSync(join(references, 'llama.cpp.json'), 'utf8'))
    const larger = (rows: number[][]) => rows.map((row) => row.map((logit) => logit * 1.3))
    for (const record of partial.records) record.prefill_top10_logits = larger(record.prefill_top10_logits)
    writeFileSync(join(both, 'llama.cpp.json'), JSON.stringify(partial))
    const { exitCode, stdout } = await run('--reference', both, '--precision', 'exact')
    expect(stdout).toMatch(/^DIVERGED first at logits/)
    expect(stdout).toMatch(/^ {2}BAD {5}llama\.cpp\.json#prompt-0/m)
    expect(stdout).toMatch(/^ {2}ok {6}prompt-0\.safetensors/m)
    expect(exitCode).toBe(1)
  })

  test('what is a part of the values alone is not enough', async () => {
    const { exitCode, stdout } = await run('--reference', join(references, 'llama.cpp.json'))
    expect(stdout).toMatch(/^NO DIFFERENCE FOUND, BUT EQUALITY NOT SHOWN/)
    expect(exitCode).toBe(3)
  })

  test('every report', async () => {
    const file = (name: string) => join(folder, name)
    const reports = ['--csv', file('r.csv'), '--markdown', file('r.md'), '--html', file('r.html'), '--json']
    const { exitCode, stdout } = await run('--reference', few, '--level', 'layers', ...reports)
    const report = jsonReportSchema.parse(JSON.parse(stdout))
    expect(report.comparisons).toHaveLength(2)
    expect(readFileSync(file('r.md'), 'utf8').match(/^### ✅/gm)).toHaveLength(2)
    expect(readFileSync(file('r.html'), 'utf8')).toContain('plumbline-parity run --model')
    expect(readFileSync(file('r.csv'), 'utf8').split('\n').length).toBeGreaterThan(100)
    expect(exitCode).toBe(0)
  })

  test('a bound of its own on the logits', async () => {
    const { exitCode, stdout } = await run('--reference', few, '--level', 'logits', '--max-nmse', '1e-20')
    expect(stdout).toMatch(/^DIVERGED at logits, token \d+: NMSE \S+, and at most 1e-20 was asked for\n/)
    expect(exitCode).toBe(1)
  })
})

describe('run with a worker that', () => {
  test.each([
    ['makes-a-mistake', 1, /^DIVERGED first at blk\.3\.ffn_norm \(layer 3, .* local: .* cause: /],
    ['loses-the-end', 4, /^UNTRUSTED CANDIDATE: .*truncated/],
  ])('%s', async (how, code, line) => {
    const { exitCode, stdout } = await run('--reference', few, ...oddWorker(how))
    expect(stdout).toMatch(line)
    expect(exitCode).toBe(code)
  })

  test.each([
    ['crashes', /ended with exit code 134; its last words:\n {2}the flux capacitor is missing/],
    [
      'writes-nothing',
      /the worker ended well, and left no trace: .*manifest\.json is not there\n {2}It was started as: /,
    ],
  ])('%s could not be run', async (how, line) => {
    const { exitCode, stdout, stderr } = await run('--reference', few, ...oddWorker(how))
    expect(stderr).toMatch(line)
    expect([exitCode, stdout]).toEqual([5, ''])
  })

  test('hands back a reference did not compute it', async () => {
    const reference = join(folder, 'oracle')
    const ids = ['--model', model, '--prompt-token-ids', '1,403,407,262', '--max-tokens', '2', '--out', reference]
    expect(await runParity(['oracle', ...ids])).toMatchObject({ exitCode: 0 })
    const worker = oddWorker(`hands-back '${reference}'`)
    const { exitCode, stdout, stderr } = await run('--reference', reference, '--precision', 'exact', ...worker)
    expect(stdout).toMatch(
      /^UNTRUSTED CANDIDATE: the trace that the worker left is not what was asked for \(it was recorded at .*, not in this run; its run .* is that of a reference; plumbline-reference made/,
    )
    expect([exitCode, stderr]).toEqual([4, ''])
    const other = await run('--reference', few, '--json', ...worker)
    const { exit_code, comparisons } = jsonReportSchema.parse(JSON.parse(other.stdout))
    expect(comparisons.map(({ verdict }) => verdict.outcome)).toEqual(['untrusted', 'untrusted'])
    expect(comparisons[0]!.verdict.line).toMatch(/it is of another prompt; its precision is exact, and fast was asked/)
    expect([exit_code, other.exitCode]).toEqual([4, 4])
  })

  test('is not there could not be run', async () => {
    const { exitCode, stderr } = await run('--reference', few, '--worker-command', '/nowhere/worker --fast')
    expect(stderr).toMatch(
      /the worker could not be started: .*\n {2}It was started as: \/nowhere\/worker --fast trace /,
    )
    expect(exitCode).toBe(5)
  })

  test('hangs is ended, with all that it started', async () => {
    const { exitCode, stderr } = await run('--reference', few, '--timeout-sec', '3', ...oddWorker('hangs'))
    expect(stderr).toContain('was not done within 3 s')
    expect(exitCode).toBe(5)
    const child = Number(/child (\d+)/.exec(stderr)?.[1])
    await vi.waitFor(() => expect(() => process.kill(child, 0)).toThrow('ESRCH'), 10_000)
  })
})

test.each(['SIGINT', 'SIGTERM'] as const)('run that is ended by %s takes the worker with it', async (signal) => {
  const log = join(folder, `${signal}.log`)
  const worker = `bash -c "'${process.execPath}' --conditions=source '${odd}' hangs 2> '${log}'"`
  const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
  const args = ['--conditions=source', cli, 'run', '--model', model, '--reference', few, '--worker-command', worker]
  const running = spawn(process.execPath, args, { stdio: 'ignore' })
  const ended = new Promise((resolve) => running.once('exit', (_, by) => resolve(by)))
  const child = await vi.waitFor(() => Number(/child (\d+)/.exec(readFileSync(log, 'utf8'))![1]), 30_000)
  running.kill(signal)
  expect(await ended).toBe(signal)
  await vi.waitFor(() => expect(() => process.kill(child, 0)).toThrow('ESRCH'), 10_000)
})

describe('run finds no reference to trust', () => {
  test('where there is none of this model: nothing compared is no pass', async () => {
    const args = ['run', '--model', otherModel, '--reference', few]
    const { exitCode, stdout } = await runParity(args)
    expect(stdout).toMatch(/^NOTHING COMPARED: .* holds no reference of /)
    expect(stdout).toContain('passed over prompt-0.safetensors: of another model')
    expect(exitCode).toBe(4)
    const { exit_code, comparisons, refusal } = jsonReportSchema.parse(
      JSON.parse((await runParity([...args, '--json'])).stdout),
    )
    expect([exit_code, comparisons, refusal!.code]).toEqual([4, [], 'INVALID_RECORDING'])
  })

  test('where a file was changed since it was recorded: it is named, with both hashes', async () => {
    const logs = join(folder, 'logs')
    cpSync(few, logs, { recursive: true })
    const files: Record<string, string> = {}
    for (const name of ['prompt-0.json', 'prompt-0.safetensors']) files[name] = await fileSha256(join(logs, name))
    const { ids } = JSON.parse(readFileSync(join(logs, 'prompt-0.json'), 'utf8'))
    const log = {
      recording: 'prompt-0.safetensors',
      files,
      engine: 'transformers',
      version: '5',
      model: { file: 'stories260K-f32.gguf', sha256: await fileSha256(model) },
      prompt_token_ids: [ids],
      tolerance: { exact: 1e-10, fast: 1e-10 },
      made_by: 'recorders/transformers.py',
    }
    writeFileSync(join(logs, 'manifest.json'), JSON.stringify({ v: 1, recordings: [log] }))
    const sound = await run('--reference', logs, '--level', 'logits')
    expect(sound.exitCode).toBe(0)
    expect(sound.stdout).not.toContain('hashes')

    const tensors = readFileSync(join(logs, 'prompt-0.safetensors'))
    tensors[tensors.length - 1]! ^= 1
    writeFileSync(join(logs, 'prompt-0.safetensors'), tensors)
    const { exitCode, stderr } = await run('--reference', logs)
    expect(stderr).toMatch(
      /UNTRUSTED REFERENCE: .*prompt-0\.safetensors was changed since it was recorded: its sha256 is /,
    )
    expect(stderr).toContain(files['prompt-0.safetensors'])
    expect(exitCode).toBe(4)
  })

  test('where there is no such folder', async () => {
    const { exitCode, stderr } = await run('--reference', '/nowhere')
    expect(stderr).toContain("--reference is '/nowhere', must be a folder")
    expect(exitCode).toBe(2)
  })
})
