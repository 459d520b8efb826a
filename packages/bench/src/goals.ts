import type { BenchReport } from './report.ts'

/** What is to be reached with the most threads, and what is aimed at. */
interface Goal {
  readonly what: string
  readonly row: string
  readonly model: RegExp
  /** Which figure of the row: against llama.cpp, of the read bandwidth, or as measured. */
  readonly figure: 'ratio' | 'bandwidthShare' | 'plumbline'
  readonly better: 'higher' | 'lower'
  readonly toReach: number
  readonly aim?: number
}

const HAIKU = /^haiku-nano/
const STORIES = /^stories15M/
const SMOLLM2 = /^smollm2-135m/
const RANDOM_Q8_0 = /^random-0\.5b-q8_0/
const RANDOM_Q4_K = /^random-0\.5b-q4_k_m/

const ratio = (row: string, model: RegExp, toReach: number, aim?: number): Goal => ({
  what: `${row}, against llama.cpp`,
  row,
  model,
  figure: 'ratio',
  better: 'higher',
  toReach,
  ...(aim !== undefined && { aim }),
})
const share = (model: RegExp, toReach: number, aim: number): Goal => ({
  what: 'stream, of our own decode',
  row: 'stream-share',
  model,
  figure: 'plumbline',
  better: 'higher',
  toReach,
  aim,
})
const health = (model: RegExp): Goal => ({
  what: '/health p99 while generating, ms',
  row: 'health',
  model,
  figure: 'plumbline',
  better: 'lower',
  toReach: 10,
  aim: 3,
})

/** For two cores with AVX-512 and VNNI. */
const GOALS: readonly Goal[] = [
  {
    what: 'decode, share of the read bandwidth',
    row: 'decode',
    model: RANDOM_Q8_0,
    figure: 'bandwidthShare',
    better: 'higher',
    toReach: 0.85,
    aim: 0.95,
  },
  ratio('decode', SMOLLM2, 1.1, 1.4),
  ratio('decode', STORIES, 1.3, 2),
  ratio('decode', RANDOM_Q4_K, 1.1, 1.4),
  ratio('decode', HAIKU, 2, 4),
  ...[SMOLLM2, RANDOM_Q8_0].flatMap((model) => [
    ratio('prefill-128', model, 1.2, 2.5),
    ratio('prefill-512', model, 1.2, 2.5),
  ]),
  share(SMOLLM2, 0.95, 0.98),
  share(STORIES, 0.88, 0.95),
  ratio('first-token', STORIES, 1, 2),
  { what: 'spawn to healthy, ms', row: 'spawn', model: HAIKU, figure: 'plumbline', better: 'lower', toReach: 400 },
  ratio('spawn', STORIES, 1),
  ratio('spawn', SMOLLM2, 1),
  health(STORIES),
  health(SMOLLM2),
]

export interface JudgedGoal {
  readonly goal: Goal
  readonly model: string
  readonly value: number
  readonly reached: boolean
}

/** Those that were measured. */
export function judgeGoals({ limits, measurements }: Pick<BenchReport, 'limits' | 'measurements'>): JudgedGoal[] {
  const most = Math.max(...limits.map(({ threads }) => threads))
  return GOALS.flatMap((goal) =>
    measurements
      .filter(({ row, model, threads }) => row === goal.row && threads === most && goal.model.test(model))
      .flatMap((measured) => {
        const value = measured[goal.figure]?.median
        if (value === undefined) return []
        const reached = goal.better === 'higher' ? value >= goal.toReach : value <= goal.toReach
        return [{ goal, model: measured.model, value, reached }]
      }),
  )
}
