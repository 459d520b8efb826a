import { expect, test } from 'vitest'
import { benchReport as report } from '../test/bench-report.ts'
import { cell, number, renderBench, table } from './markdown.ts'
import type { Measurement } from './report.ts'
import { summarise } from './statistics.ts'

const summary = summarise([99, 100, 101])
const decode: Measurement = { row: 'decode', model: 'tiny', threads: 2, unit: 'tokens/s', plumbline: summary }

test('numbers have three digits that count, and no zeros in place of them', () => {
  expect([0, 0.01234, 1.2345, 12.345, 123.45, 12345.6].map(number)).toEqual([
    '0',
    '0.0123',
    '1.23',
    '12.3',
    '123',
    '12346',
  ])
})

test('a cell has the median and the quartiles, and is marked where these are far apart', () => {
  expect(cell(summary)).toBe('100 (99.5–101)')
  expect(cell(summarise([50, 100, 150]))).toBe('~100 (75.0–125)')
  expect(cell(undefined)).toBe('—')
})

test('a table escapes what would end a cell', () => {
  expect(table(['a', 'b'], [['1|2', '3']])).toEqual(['| a | b |', '| --- | --- |', '| 1\\|2 | 3 |'])
})

test('a report says where it comes from, what the limits are, and what was measured', () => {
  const text = renderBench(report([decode]))
  expect(text).toContain('`pnpm bench --only decode`, 2026-01-02T03:04:05Z, commit abcdef012345')
  expect(text).toContain('Some CPU, 2 cores, 16.0 GiB')
  expect(text).toContain('| 2 | 20.0 (20.0–20.0) GB/s |')
  expect(text).toContain('quiet enough')
  expect(text).toContain('THE RULE')
  expect(text).toContain('| model | threads | Plumbline |\n| --- | --- | --- |\n| tiny | 2 | 100 (99.5–101) |')
  expect(text).not.toContain('## load')
})

test('a report says which kernels ran, and whether they were asked for', () => {
  expect(renderBench(report([decode]))).toContain('`--precision fast`, median')
  expect(renderBench(report([decode], { backend: 'cpu:avx512' }))).toContain('`--precision fast` on cpu:avx512, median')
  expect(renderBench(report([decode], { backend: 'cpu:avx2', forcedCpuVariant: 'avx2' }))).toContain(
    'on cpu:avx2 (PLUMBLINE_CPU_VARIANT=avx2), median',
  )
})

test('llama.cpp and the share of the bandwidth have columns where they were measured', () => {
  const beside = { ...decode, llamaCpp: summarise([50]), ratio: summarise([2]), bandwidthShare: summarise([0.85]) }
  const text = renderBench(report([beside, { ...decode, model: 'other' }], { llamaCppCommit: 'b1234' }))
  expect(text).toContain('llama.cpp b1234')
  expect(text).toContain(
    '| tiny | 2 | 100 (99.5–101) | 50.0 (50.0–50.0) | 2.00 (2.00–2.00) | 0.850 (0.850–0.850) | — |',
  )
  expect(text).toContain('| other | 2 | 100 (99.5–101) | — | — | — | — |')
})

test('a noisy machine is said to be one', () => {
  const noise = { noisy: true, slowdown: 0.5, lost: 0.2, rule: 'THE RULE' }
  expect(renderBench(report([decode], { noise }))).toContain('**the machine was too noisy to tell**')
})

test('what is to be reached stands beside what was measured, and a combination of runs says that it is one', () => {
  const q8 = { ...decode, model: 'random-0.5b-q8_0-v1', bandwidthShare: summarise([0.7]) }
  const text = renderBench(report([q8], { runs: 3 }))
  expect(text).toContain('| random-0.5b-q8_0-v1 | 0.700 | ≥ 0.85 | 0.95 | **no** |')
  expect(text).toContain('median of 3 whole runs, each the median of 7 rounds')
  expect(renderBench(report([decode]))).not.toContain('## To reach')
})
