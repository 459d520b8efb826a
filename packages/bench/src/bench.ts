import { describeMachine } from './describe-machine.ts'
import { type LlamaCpp, runLlamaBench } from './llama-cpp.ts'
import { type Measured, measureServer, type ServerPlan } from './measure-server.ts'
import type { BenchModel } from './models.ts'
import { type GenerationOptions, type MachineLimits, measureGeneration, measureMachine } from './native-programs.ts'
import { judgeNoise, NOISE_RULE } from './noise.ts'
import type { BenchReport, MeasuredLimits, Measurement } from './report.ts'
import type { Row } from './rows.ts'
import { llamaServer, plumblineServer } from './servers.ts'
import { median, ratios, summarise } from './statistics.ts'

export interface BenchPlan {
  readonly models: readonly BenchModel[]
  readonly threads: readonly number[]
  readonly rows: readonly Row[]
  readonly precision: 'fast' | 'exact'
  readonly rounds: number
  readonly decodeTokens: number
  readonly healthProbes: number
  readonly llamaCpp?: LlamaCpp
  readonly log: (line: string) => void
}

/** One model at one number of threads, round by round. */
interface Series {
  readonly model: BenchModel
  readonly threads: number
  readonly limits: MachineLimits[]
  readonly plumbline: Measured[]
  readonly llamaCpp: Measured[]
  weightBytesPerToken: number
}

/** A smaller model may come out of a cache: its share of the memory's bandwidth would say nothing. */
const LEAST_STREAMED_BYTES = 64 * 2 ** 20
/** A pass over a model below this is over so quickly that one is no measurement. */
const SMALL_FILE_BYTES = 64 * 2 ** 20
const TINY_FILE_BYTES = 8 * 2 ** 20
/** From here on it is the matrices that take the time: answers may be shorter, and servers are measured with smaller models. */
const LARGE_FILE_BYTES = 200 * 2 ** 20
/** What is measured with fewer threads than the most. */
const ROWS_OF_FEWER_THREADS = ['load', 'prefill-128', 'decode']
/** The warm-up's answers. */
const WARM_UP_TOKENS = 8

/** Measures everything, round by round: the first one is a warm-up, and in each other one the order of the two changes. */
export async function runBench(plan: BenchPlan): Promise<Omit<BenchReport, 'command' | 'date' | 'commit'>> {
  const all: Series[] = []
  let llamaCppCommit: string | undefined
  let backend: string | undefined
  for (const model of plan.models) {
    for (const threads of plan.threads) {
      const series: Series = { model, threads, limits: [], plumbline: [], llamaCpp: [], weightBytesPerToken: 0 }
      all.push(series)
      for (let round = 0; round <= plan.rounds; round++) {
        plan.log(`${model.name}, ${threads} threads: ${round === 0 ? 'warm-up' : `round ${round} of ${plan.rounds}`}`)
        const limits = await measureMachine(threads, describeMachine().cores)
        const work = workOf(plan, model, threads, round === 0)
        const sides = [
          async () => {
            const ours = await plumblineRound(plan, work)
            series.weightBytesPerToken = ours.weightBytesPerToken
            backend ??= ours.backend
            if (round > 0) series.plumbline.push(ours.values)
          },
          async () => {
            if (plan.llamaCpp === undefined) return
            const { values, commit } = await llamaCppRound(plan.llamaCpp, work)
            llamaCppCommit ??= commit
            if (round > 0) series.llamaCpp.push(values)
          },
        ]
        for (const side of round % 2 === 0 ? sides : sides.toReversed()) await side()
        if (round > 0) series.limits.push(limits)
      }
    }
  }
  const limits = all.flatMap((series) => series.limits)
  const calibrations = limits.map((limit) => ({ seconds: limit.calibration_seconds, lost: limit.calibration_lost }))
  return {
    schema: 1,
    ...(plan.llamaCpp && { llamaCppCommit: llamaCppCommit ?? 'of an unknown commit' }),
    machine: describeMachine(),
    precision: plan.precision,
    ...(backend && { backend }),
    ...(process.env.PLUMBLINE_CPU_VARIANT && { forcedCpuVariant: process.env.PLUMBLINE_CPU_VARIANT }),
    rounds: plan.rounds,
    noise: { ...judgeNoise(calibrations), rule: NOISE_RULE },
    limits: plan.threads.map((threads) => summariseLimits(limits.filter((limit) => limit.threads === threads))),
    models: plan.models.map(({ name, fileBytes }) => ({ name, fileBytes })),
    measurements: plan.rows.flatMap((row) => all.flatMap((series) => summariseRow(row, series))),
  }
}

/** What a round measures of a model. */
interface Work {
  readonly generation?: GenerationOptions
  readonly server?: ServerPlan
}

/**
 * A model of some size is through with one repetition in the time that a tiny one needs to be measured at all. Fewer threads than
 * the most are measured in process alone, since a server has the whole machine, and over half as many tokens.
 */
function workOf(plan: BenchPlan, model: BenchModel, threads: number, warmUp: boolean): Work {
  const fewer = threads < Math.max(...plan.threads)
  const { path, fileBytes, contextLength, vocabSize } = model
  const rows = plan.rows.filter(({ name }) => !fewer || ROWS_OF_FEWER_THREADS.includes(name))
  const asked = (name: string) => rows.some((row) => row.name === name)
  const scale = (fileBytes < TINY_FILE_BYTES ? 8 : fileBytes < LARGE_FILE_BYTES ? 1 : 0.5) / (fewer ? 2 : 1)
  const tokens = Math.min(warmUp ? WARM_UP_TOKENS : plan.decodeTokens * scale, contextLength - 32)
  const repetitions = fileBytes < SMALL_FILE_BYTES && !warmUp ? 3 : 1
  const generation: GenerationOptions = {
    model: path,
    threads,
    precision: plan.precision,
    prefill: [16, 128, 512].filter((length) => asked(`prefill-${length}`) && length <= contextLength && !warmUp),
    decode: asked('decode') || asked('stream-share') ? tokens : 0,
    repetitions,
  }
  const healthProbes = asked('health') && !warmUp ? plan.healthProbes : 0
  const server: ServerPlan = {
    model: path,
    threads,
    contextLength,
    vocabSize,
    tokens,
    streams: repetitions,
    healthProbes,
  }
  return {
    ...(rows.some(({ stage, name }) => stage === 'generation' || name === 'stream-share') && { generation }),
    ...(rows.some(({ stage }) => stage === 'server') && fileBytes < LARGE_FILE_BYTES && { server }),
  }
}

async function plumblineRound({ precision }: BenchPlan, work: Work) {
  const generation = work.generation && (await measureGeneration(work.generation))
  const served = work.server && (await measureServer(plumblineServer(precision), work.server))
  const decode = generation?.decode && generation.decode.tokens / median(generation.decode.seconds)
  const values: Measured = {
    ...(generation && { load: generation.load_seconds * 1e3 }),
    ...Object.fromEntries(
      (generation?.prefill ?? []).map(({ tokens, seconds }) => [`prefill-${tokens}`, tokens / median(seconds)]),
    ),
    decode,
    ...served,
    'stream-share': decode && served?.stream && served.stream / decode,
  }
  return { values, weightBytesPerToken: generation?.weight_bytes_per_token ?? 0, backend: generation?.backend }
}

async function llamaCppRound(llama: LlamaCpp, work: Work) {
  const { generation, server } = work
  const bench =
    generation && (generation.prefill.length > 0 || generation.decode > 0)
      ? await runLlamaBench(llama, generation)
      : undefined
  const served = server && (await measureServer(llamaServer(llama), server))
  const decode = bench && bench.decode.length > 0 ? median(bench.decode) : undefined
  const values: Measured = {
    ...Object.fromEntries([...(bench?.prefill ?? [])].map(([tokens, rates]) => [`prefill-${tokens}`, median(rates)])),
    decode,
    ...served,
    'stream-share': decode && served?.stream && served.stream / decode,
  }
  return { values, commit: bench?.commit }
}

function summariseRow(row: Row, series: Series): Measurement[] {
  const ours = series.plumbline.map((round) => round[row.name])
  const theirs = series.llamaCpp.map((round) => round[row.name])
  const known = (values: readonly (number | undefined)[]) => values.filter((value) => value !== undefined)
  if (known(ours).length === 0) return []
  const share = (values: readonly (number | undefined)[]) =>
    row.name !== 'decode' || series.weightBytesPerToken < LEAST_STREAMED_BYTES
      ? []
      : values.flatMap((rate, round) =>
          rate === undefined ? [] : [(rate * series.weightBytesPerToken) / series.limits[round]!.read_bytes_per_second],
        )
  const optional = <Name extends string>(name: Name, values: readonly number[]) =>
    (values.length === 0 ? {} : { [name]: summarise(values) }) as Partial<Record<Name, ReturnType<typeof summarise>>>
  return [
    {
      row: row.name,
      model: series.model.name,
      threads: series.threads,
      unit: row.unit,
      plumbline: summarise(known(ours)),
      ...optional('llamaCpp', known(theirs)),
      ...optional('ratio', ratios(ours, theirs, row.better)),
      ...optional('bandwidthShare', share(ours)),
      ...optional('llamaCppBandwidthShare', share(theirs)),
    },
  ]
}

function summariseLimits(limits: readonly MachineLimits[]): MeasuredLimits {
  const [first] = limits
  const peak = (name: 'int8' | 'float32') => ({
    ...summarise(limits.map((limit) => limit[name].operations_per_second)),
    instructions: first![name].instructions,
  })
  return {
    threads: first!.threads,
    readBandwidth: summarise(limits.map((limit) => limit.read_bytes_per_second)),
    int8: peak('int8'),
    float32: peak('float32'),
  }
}
