import { readFileSync } from 'node:fs'
import { EXIT } from '@plumbline/protocol'
import { expect } from 'vitest'
import { runHarness } from './run-harness.ts'

export interface HaikuRate {
  /** Shares of the answers, from 0 to 1. */
  readonly words: number
  readonly three_lines: number
  readonly five_seven_five: number
  /** Answers that differ from all others. */
  readonly distinct: number
  readonly texts: readonly string[]
}

/** haiku-nano on that many fresh challenges, through the worker. */
export async function rateHaiku(challenges: number): Promise<HaikuRate> {
  const { stdout, exitCode } = await runHarness(['haiku-rate', '--challenges', `${challenges}`])
  expect(exitCode).toBe(EXIT.ok)
  const { answers, ...rate } = JSON.parse(stdout) as Omit<HaikuRate, 'texts'> & { readonly answers: string }
  const lines = readFileSync(answers, 'utf8').trimEnd().split('\n')
  expect(lines).toHaveLength(challenges)
  return { ...rate, texts: lines.map((line) => (JSON.parse(line) as { text: string }).text) }
}
