import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { describeMachine } from './describe-machine.ts'
import { cell, number, table } from './markdown.ts'
import { measureMachine } from './native-programs.ts'
import { type Calibration, judgeNoise, NOISE_RULE } from './noise.ts'
import type { ParityMeasurement, ParityReport } from './report.ts'
import { run } from './run-program.ts'
import { summarise } from './statistics.ts'

const PROGRAM = fileURLToPath(new URL('../../parity/bench/bench.ts', import.meta.url))

const rowsSchema = z.object({
  rows: z.array(
    z.object({
      what: z.string(),
      target: z.number(),
      unit: z.string(),
      better: z.enum(['higher', 'lower']),
      value: z.number(),
    }),
  ),
})

/** What parity promises of speed and memory, round by round in processes of its own, the machine being looked at before each. */
export async function runParity(
  rounds: number,
  log: (line: string) => void,
): Promise<Omit<ParityReport, 'command' | 'date' | 'commit'>> {
  const calibrations: Calibration[] = []
  const measured: z.output<typeof rowsSchema>['rows'][] = []
  for (let round = 1; round <= rounds; round++) {
    log(`parity: round ${round} of ${rounds}`)
    const limits = await measureMachine(availableParallelism(), describeMachine().cores)
    calibrations.push({ seconds: limits.calibration_seconds, lost: limits.calibration_lost })
    measured.push(rowsSchema.parse(JSON.parse(await run(process.execPath, ['--conditions=source', PROGRAM]))).rows)
  }
  const rows = measured[0]!.map(({ value: _, ...row }, index): ParityMeasurement => {
    const found = summarise(measured.map((round) => round[index]!.value))
    const ratio = row.better === 'higher' ? found.median / row.target : row.target / found.median
    return { ...row, measured: found, ratio }
  })
  return {
    schema: 1,
    machine: describeMachine(),
    rounds,
    noise: { ...judgeNoise(calibrations), rule: NOISE_RULE },
    rows,
  }
}

/** parity.md. */
export function renderParity(report: ParityReport): string {
  const { machine, noise } = report
  const rows = report.rows.map(({ what, target, unit, better, measured, ratio }) => [
    what,
    `${better === 'higher' ? '≥' : '≤'} ${number(target)} ${unit}`,
    `${cell(measured)} ${unit}`,
    `${number(ratio)} ×`,
    ratio >= 1 ? 'yes' : 'no',
  ])
  return [
    '# What parity does, beside what is asked of it',
    '',
    `\`${report.command}\`, ${report.date}, commit ${report.commit}, median of ${report.rounds} rounds (quartiles in brackets), each the best of three.`,
    `${machine.cpu}, ${machine.cores} cores, ${number(machine.memoryBytes / 2 ** 30)} GiB; Linux ${machine.kernel}, Node ${machine.node}.`,
    '',
    `Noise: ${noise.noisy ? '**the machine was too noisy to tell**' : 'quiet enough'}. The rule: ${noise.rule}.`,
    '',
    ...table(['what', 'asked', 'measured', 'times as good as asked', 'met'], rows),
    '',
  ].join('\n')
}
