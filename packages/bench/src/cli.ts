import { availableParallelism } from 'node:os'
import { EXIT } from '@plumbline/protocol'
import { PlumblineError } from '@plumbline/protocol/errors'
import { Command, CommanderError } from 'commander'
import { runBench } from './bench.ts'
import { type KernelsPlan, renderKernels, runKernels } from './kernels.ts'
import { findLlamaCpp } from './llama-cpp.ts'
import { renderBench } from './markdown.ts'
import { findModels } from './models.ts'
import { defaultThreadCounts, positiveInteger, precision, rowNames, threadCounts } from './options.ts'
import { renderParity, runParity } from './parity.ts'
import type { BenchReport } from './report.ts'
import { ROWS, type Row } from './rows.ts'
import { combineRuns, repeatRuns } from './runs.ts'
import { MEASUREMENTS, provenance, writeReport } from './write-report.ts'

// Whatever was spawned is killed on exit; a signal alone would not be one.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(EXIT.couldNotRun))

const log = (line: string) => process.stderr.write(`${line}\n`)

interface BenchOptions {
  quick: boolean
  only: readonly Row[]
  models?: string
  threads: readonly number[]
  precision: 'fast' | 'exact'
  rounds?: number
  runs: number
  resume: boolean
  out: string
}

const program = new Command('bench')
  .description('how fast the worker is, beside what the machine can do and beside llama.cpp (PLUMBLINE_LLAMA_CPP)')
  .exitOverride()
  .showHelpAfterError('(--help shows what there is)')
  .enablePositionalOptions()
  .option('--quick', 'three rounds, short answers, no large models', false)
  .option('--only <rows>', `some rows alone: ${ROWS.map(({ name }) => name).join(', ')}`, rowNames, ROWS)
  .option(
    '--models <folder>',
    "a folder of GGUF files in place of the repository's, the test assets' and the ones made here",
  )
  .option('--threads <list>', 'numbers of threads, for example 1,2', threadCounts, defaultThreadCounts())
  .option('--precision <precision>', 'fast or exact', precision, 'fast')
  .option('--rounds <n>', 'rounds behind the warm-up (7; 3 with --quick)', positiveInteger)
  .option(
    '--runs <n>',
    'whole runs, each kept as bench-run-N.json, of whose medians the report has the median',
    positiveInteger,
    1,
  )
  .option('--resume', 'take the runs of this commit that are there already', false)
  .option('--out <folder>', 'where bench.md and bench.json are written', MEASUREMENTS)
  .action(async (options: BenchOptions) => {
    const { quick, rounds = quick ? 3 : 7 } = options
    const llamaCpp = findLlamaCpp()
    const models = await findModels(options.models, quick, log)
    const runOnce = async (): Promise<BenchReport> => ({
      ...provenance('bench'),
      ...(await runBench({
        models,
        threads: options.threads,
        rows: options.only,
        precision: options.precision,
        rounds,
        decodeTokens: quick ? 32 : 128,
        healthProbes: quick ? 50 : 200,
        ...(llamaCpp && { llamaCpp }),
        log,
      })),
    })
    const report =
      options.runs === 1
        ? await runOnce()
        : combineRuns(await repeatRuns(runOnce, { ...options, ...provenance('bench'), log }))
    const markdown = renderBench(report)
    writeReport(options.out, 'bench', markdown, report)
    log(`measured in ${(performance.now() / 60_000).toFixed(1)} minutes`)
    process.stdout.write(markdown)
    // Who asks for some rows alone, or for models of their own, asks about the worker.
    if (options.only === ROWS && options.models === undefined) await benchParity({ rounds, out: options.out })
  })

async function benchParity({ rounds, out }: { rounds: number; out: string }): Promise<void> {
  const report = { ...provenance('bench'), ...(await runParity(rounds, log)) }
  const markdown = renderParity(report)
  writeReport(out, 'parity', markdown, report)
  process.stdout.write(markdown)
}

program
  .command('parity')
  .description('how fast parity reads and compares, and in how much memory')
  .option('--rounds <n>', 'how many', positiveInteger, 7)
  .option('--out <folder>', 'where parity.md and parity.json are written', MEASUREMENTS)
  .action(benchParity)

program
  .command('kernels')
  .description('each op of the CPU backend by variant')
  .option('--op <name>', 'one op alone, for example linear')
  .option('--variant <name>', 'portable, avx2 or avx512 alone')
  .option('--threads <n>', 'how many', positiveInteger, availableParallelism())
  .option('--precision <precision>', 'fast or exact', precision, 'fast')
  .option('--rounds <n>', 'how many', positiveInteger, 7)
  .option('--out <folder>', 'where kernels.md and kernels.json are written', MEASUREMENTS)
  .action(async ({ out, ...plan }: KernelsPlan & { out: string }) => {
    const report = { ...provenance('bench:kernels'), ...(await runKernels(plan)) }
    const markdown = renderKernels(report)
    writeReport(out, 'kernels', markdown, report)
    process.stdout.write(markdown)
  })

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage
  else {
    log(`bench: ${error instanceof Error ? error.message : error}`)
    process.exitCode =
      error instanceof PlumblineError && error.code === 'INVALID_OPTION' ? EXIT.usage : EXIT.couldNotRun
  }
}
