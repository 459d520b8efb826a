// `pnpm --filter @plumbline/parity bench [--json <file>]`: what is promised of speed and memory, each row with its target, the median of
// several rounds, and how many times the target that is. Markdown goes to the output.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { measureJsonLines } from './json-lines.ts'
import { compareTraces, writeLargeTrace, writeTrace } from './made-up-traces.ts'
import { median, type Row } from './row.ts'

// As in src/cli.ts.
setFlagsFromString('--semi-space-growth-factor=1')

const ROUNDS = 3
const folder = mkdtempSync(join(tmpdir(), 'plumbline-bench-'))
const rows: Row[] = []
try {
  for (const [what, dtype, write] of [
    ['float32 in 9 digits', 'f32', (value: number) => String(Number(value.toPrecision(9)))],
    ['float32 in 17 digits', 'f32', String],
    ['float64 in 17 digits', 'f64', (value: number) => String(Math.sin(value * 1e7) * 10)],
  ] as const) {
    const { times, cpu } = await measureJsonLines(join(folder, 'x.jsonl'), dtype, write, ROUNDS)
    const is = { what: `JSONL, ${what}, by JSON.parse of its lines`, target: 2, unit: 'x', least: true }
    rows.push({ ...is, median: times, cpu })
  }

  const traces = (['reference', 'noise', 'wrong'] as const).map((kind) => writeTrace(join(folder, kind), kind))
  const [reference, noise, wrong] = traces as [string, string, string]
  const rates: number[] = []
  const cpuRates: number[] = []
  const seconds: number[] = []
  const cpuSeconds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const whole = await compareTraces(noise, reference)
    rates.push(whole.bytes / 1e9 / whole.seconds)
    // What two idle cores would make of it, were all of it done on both.
    cpuRates.push(whole.bytes / 1e9 / (whole.cpuSeconds / 2))
    const first = await compareTraces(wrong, reference)
    if (!first.line.includes('blk.16.')) throw new Error(`the first divergence was not found: ${first.line}`)
    seconds.push(first.seconds)
    cpuSeconds.push(first.cpuSeconds)
  }
  for (const trace of traces) rmSync(trace, { recursive: true })
  const compared = { what: 'two traces opened and compared', target: 1, unit: 'GB/s', least: true }
  rows.push({ ...compared, median: median(rates), cpu: median(cpuRates) })
  const found = { what: 'first divergence, 32 layers, 512 tokens, ops', target: 10, unit: 's', least: false }
  rows.push({ ...found, median: median(seconds), cpu: median(cpuSeconds) })

  const large = writeLargeTrace(join(folder, 'large'))
  const program = fileURLToPath(new URL('../test/helpers/read-whole.ts', import.meta.url))
  const node = (...words: string[]) =>
    execFileSync(process.execPath, ['--conditions=source', ...words], { encoding: 'utf8' })
  const memory = {
    what: 'resident memory, a trace of 10 GB opened and read',
    target: 256,
    unit: 'MiB',
    least: false,
  }
  rows.push({ ...memory, median: JSON.parse(node(program, large)).maxRssMiB, cpu: null })
} finally {
  rmSync(folder, { recursive: true })
}

/** How many times as good as promised. */
const ratioOf = ({ median, target, least }: Row) => (least ? median / target : target / median)

const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
console.log(line(['what', 'target', 'median', 'by CPU time', 'ratio to target', 'met']))
console.log(line(Array(6).fill('---')))
for (const row of rows) {
  const { what, target, unit, least, median, cpu } = row
  const number = (value: number | null) => (value === null ? '' : `${value.toPrecision(3)} ${unit}`)
  const ratio = ratioOf(row)
  const promised = `${least ? '>=' : '<='} ${target} ${unit}`
  console.log(line([what, promised, number(median), number(cpu), ratio.toFixed(2), ratio >= 1 ? 'yes' : 'no']))
}
const jsonAt = process.argv.indexOf('--json')
if (jsonAt > 0) {
  const measured = rows.map((row) => ({ ...row, ratio: ratioOf(row), met: ratioOf(row) >= 1 }))
  writeFileSync(
    process.argv[jsonAt + 1]!,
    `${JSON.stringify({ v: 1, node: process.version, cores: availableParallelism(), rounds: ROUNDS, rows: measured }, undefined, 2)}\n`,
  )
}
