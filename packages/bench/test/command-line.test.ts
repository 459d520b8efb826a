import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import type { BenchReport, KernelsReport } from '../src/report.ts'

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
const llamaCpp = fileURLToPath(new URL('fixtures/llama-cpp', import.meta.url))
const tiny = fileURLToPath(new URL('../../protocol/test-vectors/stories260K/stories260K-f32.gguf', import.meta.url))

function bench(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  return spawnSync(process.execPath, ['--conditions=source', cli, ...args], {
    encoding: 'utf8',
    env: { ...process.env, PLUMBLINE_LLAMA_CPP: '', ...environment },
  })
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'plumbline-bench-'))
  copyFileSync(tiny, join(folder, 'tiny.gguf'))
  return () => rmSync(folder, { recursive: true })
})
const small = (...args: string[]) => [
  '--quick',
  '--rounds',
  '1',
  '--threads',
  '1',
  '--models',
  folder,
  '--out',
  folder,
  ...args,
]
const written = () => JSON.parse(readFileSync(join(folder, 'bench.json'), 'utf8')) as BenchReport

test('all rows of a model are measured, but for those that its context has no room for', () => {
  const { status, stdout, stderr } = bench(small())
  expect(status, stderr).toBe(0)
  expect(stdout).toBe(readFileSync(join(folder, 'bench.md'), 'utf8'))
  const report = written()
  // On a busy machine all tokens of so quick a model may come at once: then there is no rate.
  const rows = report.measurements.map(({ row }) => row).filter((row) => !row.startsWith('stream'))
  expect(rows).toEqual([
    ...['load', 'prefill-16', 'prefill-128', 'decode', 'spawn', 'first-token'],
    ...['cpu', 'cpu-front', 'cpu-engine', 'health', 'memory', 'memory-front', 'memory-engine'],
  ])
  for (const { row, plumbline } of report.measurements) {
    expect(plumbline.median, row).toBeGreaterThan(0)
    expect(plumbline.samples, row).toBe(1)
  }
  expect(report.limits[0]!.readBandwidth.median).toBeGreaterThan(0)
  expect(report).toMatchObject({
    rounds: 1,
    machine: { cores: expect.any(Number) },
    command: expect.stringContaining('--quick'),
  })
})

test('llama.cpp is measured beside it, and told apart from it', () => {
  const args = small('--only', 'decode,first-token,memory')
  const { status, stderr } = bench(args, { PLUMBLINE_LLAMA_CPP: llamaCpp })
  expect(status, stderr).toBe(0)
  const report = written()
  const of = (name: string) => report.measurements.find(({ row }) => row === name)
  expect(report.llamaCppCommit).toBe('fa4e000')
  expect(of('decode')?.llamaCpp).toMatchObject({ median: 100, samples: 1 })
  expect(of('decode')?.ratio?.median).toBeCloseTo(of('decode')!.plumbline.median / 100, 0)
  expect(of('first-token')?.ratio?.samples).toBe(1)
  expect(of('memory')?.llamaCpp?.median).toBeGreaterThan(1)
  expect(of('memory-engine')?.llamaCpp).toBeUndefined()
})

test('kernels of one op are measured by variant, against the limits', () => {
  const { status, stderr } = bench(['kernels', '--op', 'add', '--rounds', '2', '--threads', '1', '--out', folder])
  expect(status, stderr).toBe(0)
  const report = JSON.parse(readFileSync(join(folder, 'kernels.json'), 'utf8')) as KernelsReport
  expect(report.kernels.map(({ op, variant }) => `${op} ${variant}`)).toContain('add portable')
  for (const { op, seconds, bandwidthShare } of report.kernels) {
    expect(op).toBe('add')
    expect(seconds.samples).toBe(2)
    expect(bandwidthShare).toBeGreaterThan(0)
  }
})

test.each([
  [['--only', 'speed'], /no row speed; there are load,/],
  [['--threads', '0'], /whole number from 1 on/],
  [['--precision', 'half'], /fast or exact/],
  [['--quickly'], /unknown option/],
])('%s is refused, with what it must be', (args, message) => {
  const { status, stderr } = bench(args)
  expect(status).toBe(2)
  expect(stderr).toMatch(message)
})

test('a folder without programs of llama.cpp is refused before anything is measured', () => {
  const empty = mkdtempSync(join(tmpdir(), 'plumbline-bench-'))
  onTestFinished(() => rmSync(empty, { recursive: true }))
  const { status, stderr } = bench(small(), { PLUMBLINE_LLAMA_CPP: empty })
  expect(status).toBe(2)
  expect(stderr).toContain('has no llama-bench and no llama-server')
})

test('a folder without models is refused', () => {
  const empty = mkdtempSync(join(tmpdir(), 'plumbline-bench-'))
  onTestFinished(() => rmSync(empty, { recursive: true }))
  const { status, stderr } = bench(['--models', empty])
  expect(status).toBe(2)
  expect(stderr).toContain(`--models is ${empty}, which has no GGUF file`)
})
