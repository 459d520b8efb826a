import { expect, test } from 'vitest'
import { benchReport } from '../test/bench-report.ts'
import { judgeGoals } from './goals.ts'
import type { Measurement } from './report.ts'
import { summarise } from './statistics.ts'

const measured = (row: string, model: string, rest: Partial<Measurement>): Measurement => ({
  ...{ row, model, threads: 2, unit: '' },
  plumbline: summarise([1]),
  ...rest,
})
const judge = (...measurements: Measurement[]) =>
  judgeGoals(benchReport(measurements)).map(({ model, value, reached }) => [model, value, reached])

test('a goal is reached at the very figure, for what must be high and for what must be low', () => {
  expect(
    judge(
      measured('decode', 'random-0.5b-q8_0-v1', { bandwidthShare: summarise([0.85]) }),
      measured('decode', 'smollm2-135m-instruct-q4_1', { ratio: summarise([1.09]) }),
      measured('spawn', 'haiku-nano-q8_0', { plumbline: summarise([400]) }),
      measured('health', 'stories15M-q8_0', { plumbline: summarise([10.1]) }),
    ),
  ).toEqual([
    ['random-0.5b-q8_0-v1', 0.85, true],
    ['smollm2-135m-instruct-q4_1', 1.09, false],
    ['haiku-nano-q8_0', 400, true],
    ['stories15M-q8_0', 10.1, false],
  ])
})

test('what was not measured beside llama.cpp, or with fewer threads alone, is not judged', () => {
  const decode = measured('decode', 'smollm2-135m-instruct-q4_1', {})
  expect(judge(decode)).toEqual([])
  expect(judge({ ...decode, threads: 1, ratio: summarise([2]) })).toEqual([])
})
