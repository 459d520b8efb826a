// `pnpm --filter @plumbline/parity bench`: one round of what is promised of speed and memory, as JSON. `pnpm bench` makes tables of it.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { measureJsonLines } from './json-lines.ts'
import { compareTraces, writeLargeTrace, writeTrace } from './made-up-traces.ts'
import type { Row } from './row.ts'

// As in src/cli.ts.
setFlagsFromString('--semi-space-growth-factor=1')
setFlagsFromString('--heap-growing-percent=25')

/** The first one is a warm-up. */
const REPETITIONS = 3
const folder = mkdtempSync(join(tmpdir(), 'plumbline-bench-'))
const rows: Row[] = []
try {
  for (const [what, dtype, write] of [
    ['float32 in 9 digits', 'f32', (value: number) => String(Number(value.toPrecision(9)))],
    ['float32 in 17 digits', 'f32', String],
    ['float64 in 17 digits', 'f64', (value: number) => String(Math.sin(value * 1e7) * 10)],
  ] as const) {
    const value = await measureJsonLines(join(folder, 'x.jsonl'), dtype, write, REPETITIONS)
    rows.push({ what: `JSONL, ${what}, by JSON.parse of its lines`, target: 2, unit: '×', better: 'higher', value })
  }

  const reference = writeTrace(join(folder, 'reference'), 'reference')
  for (const [kind, verdict] of [
    ['honest', 'SAME WITHIN'],
    ['wrong', 'first at blk.16.'],
  ] as const) {
    const candidate = writeTrace(join(folder, kind), kind)
    let seconds = Number.POSITIVE_INFINITY
    let bytes = 0
    for (let repetition = 0; repetition <= REPETITIONS; repetition++) {
      const compared = await compareTraces(candidate, reference)
      if (!compared.line.includes(verdict)) throw new Error(`${kind}, and the verdict is: ${compared.line}`)
      bytes = compared.bytes
      if (repetition > 0) seconds = Math.min(seconds, compared.seconds)
    }
    rmSync(candidate, { recursive: true })
    const [what, rate] = [`two traces opened and compared, ${kind}`, bytes / 1e9 / seconds]
    rows.push({ what, target: 1, unit: 'GB/s', better: 'higher', value: rate })
    if (kind === 'honest') continue
    const found = 'first divergence, 32 layers, 512 tokens, ops'
    rows.push({ what: found, target: 10, unit: 's', better: 'lower', value: seconds })
  }
  rmSync(reference, { recursive: true })

  const large = writeLargeTrace(join(folder, 'large'))
  const program = fileURLToPath(new URL('compare-large.ts', import.meta.url))
  const output = execFileSync(process.execPath, ['--conditions=source', program, large], { encoding: 'utf8' })
  const memory = JSON.parse(output).maxRssMiB
  rows.push({
    what: 'resident memory, a trace of 10 GB compared',
    target: 256,
    unit: 'MiB',
    better: 'lower',
    value: memory,
  })
} finally {
  rmSync(folder, { recursive: true })
}
process.stdout.write(`${JSON.stringify({ rows }, undefined, 2)}\n`)
