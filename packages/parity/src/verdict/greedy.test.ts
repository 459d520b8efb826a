import type { ReferenceModel } from '@plumbline/reference'
import { beforeAll, describe, expect, test } from 'vitest'
import { alterRun } from '../../test/helpers/alter-run.ts'
import { against, GENERATED, PROMPT, recordTruth } from '../../test/helpers/truth.ts'
import { compare } from '../comparison/compare.ts'
import { recordOracle } from '../oracle/memory-oracle.ts'
import { memoryRecording } from '../recording/memory-recording.ts'
import type { Greedy, RecordedRun } from '../recording/recording.ts'
import { greedyNoise } from './ladder.ts'

let model: ReferenceModel
let truth: RecordedRun
beforeAll(() => {
  ;({ model, truth } = recordTruth())
})

describe('greedy continuations', () => {
  const logitsOnly = (run: RecordedRun, greedy: Greedy): RecordedRun =>
    Object.assign(
      alterRun(run, {
        identity: { generatedTokenIds: greedy.tokenIds },
        values: (name) => (name === 'logits' ? undefined : false),
      }),
      { greedy },
    )
  const generated = () => truth.identity.generatedTokenIds!
  const swapped = (at: number) => generated().map((id, index) => (index === at ? 300 : id))
  const noLogits = (greedy: Greedy): RecordedRun => ({
    id: 'greedy',
    identity: { promptTokenIds: PROMPT },
    checkpoints: new Map(),
    greedy,
  })

  test.each([
    [0.5, 'tie'],
    [4, 'drift'],
    [100, 'bug'],
  ] as const)('a lead of %d times the noise that is turned around is a %s', (times, kind) => {
    const gaps = generated().map(() => times * greedyNoise('float32'))
    const { greedy } = against(noLogits({ tokenIds: swapped(2) }), noLogits({ tokenIds: generated(), gaps }))
    expect(greedy).toMatchObject({ kind, parted: 2, compared: GENERATED })
  })

  test('that are the same, and that part without a recorded lead', () => {
    const tokenIds = generated()
    expect(against(noLogits({ tokenIds }), noLogits({ tokenIds })).greedy).toMatchObject({ kind: 'same', compared: 8 })
    expect(against(noLogits({ tokenIds: swapped(2) }), noLogits({ tokenIds })).greedy!.kind).toBe('bug')
  })

  test("the same tokens, which neither side's own logits put first, are not let through", () => {
    const lying = () => logitsOnly(truth, { tokenIds: swapped(3) })
    const both = against(lying(), lying())
    expect(both.verdict.exitCode).toBe(4)
    expect(both.verdict.line).toMatch(
      /^UNTRUSTED REFERENCE: .*token 4 of the continuation is 300, though its own logits/,
    )
    const { greedy, verdict } = against(lying(), noLogits({ tokenIds: swapped(3) }))
    expect(greedy).toMatchObject({ kind: 'bug', parted: 3 })
    expect(verdict.exitCode).not.toBe(0)
  })

  test.each(['float32', 'float16', 'quantised-activations'] as const)(
    'a first logit replaced by the mean is not let through under %s',
    (profile) => {
      const flattened = alterRun(truth, {
        values: (name, values, { width }) => {
          for (let start = 0; name === 'logits' && start < values.length; start += width) {
            const row = values.subarray(start, start + width)
            row[row.indexOf(Math.max(...row))] = Array.from(row).reduce((sum, value) => sum + value, 0) / width
          }
          return undefined
        },
      })
      const { verdict } = against(flattened, truth, { profile })
      expect(verdict.exitCode).toBe(1)
      expect(verdict.line).toMatch(/^DIVERGED first at logits/)
      const noGreedy = Object.assign(alterRun(flattened, {}), { greedy: undefined })
      expect(against(noGreedy, truth, { profile }).verdict.exitCode).toBe(1)
    },
  )

  test("a token that the candidate's own logits do not favour is its sampler's doing: exit 1", () => {
    const wrong = logitsOnly(truth, { tokenIds: swapped(3) })
    const { greedy, verdict } = against(wrong, logitsOnly(truth, { tokenIds: generated() }))
    expect(greedy).toMatchObject({ kind: 'bug', parted: 3 })
    expect(verdict.exitCode).toBe(1)
    expect(verdict.line).toMatch(/^DIVERGED in the greedy continuation: token 4 .* its sampling is wrong/)
  })

  describe('after a tie', () => {
    /** The run of another continuation, whose logits at the parting are a little off so that it is the favoured one. */
    const parting = (at: number): RecordedRun => {
      const tokenIds = swapped(at)
      const forced = recordOracle(model, PROMPT, { maxTokens: GENERATED, forcedTokenIds: tokenIds }).run
      return Object.assign(alterRun(forced, { identity: { activations: 'Q8', generatedTokenIds: tokenIds } }), {
        greedy: { tokenIds },
      })
    }
    /** As if the two tokens had been all but equal for the reference. */
    const tied = (run: RecordedRun, at: number): RecordedRun => {
      const level = (name: string, values: Float32Array | Float64Array, pos: number) => {
        if (name !== 'logits' || pos > PROMPT.length + at - 1 || pos + values.length / 512 <= PROMPT.length + at - 1)
          return
        const row = (PROMPT.length + at - 1 - pos) * 512
        values[row + 300] = values[row + generated()[at]!]!
      }
      const altered = alterRun(run, { values: (name, values, { pos }) => void level(name, values, pos) })
      return Object.assign(altered, { greedy: { tokenIds: run.identity.generatedTokenIds! } })
    }

    test('nothing to go on with: the comparison ends there', () => {
      const { greedy, checkpoints } = against(tied(parting(2), 2), tied(truth, 2))
      expect(greedy).toMatchObject({ kind: 'tie', parted: 2 })
      expect(greedy!.forcedUntil).toBeUndefined()
      expect(checkpoints.at(-1)!.positions).toHaveLength(PROMPT.length + 2)
    })

    test.each(['the model', 'another run'])("it goes on with the candidate's tokens by %s", (how) => {
      // Only the logits: an op whose output was altered does not give what its inputs should.
      const altered = tied(parting(2), 2)
      const candidate = alterRun(altered, { values: (name) => (name === 'logits' ? undefined : false) })
      const other = alterRun(recordOracle(model, [...PROMPT, ...swapped(2)]).run, { id: 'forced' })
      const comparison = compare(
        memoryRecording([candidate]),
        memoryRecording(how === 'the model' ? [tied(truth, 2)] : [tied(truth, 2), other]),
        how === 'the model' ? { model } : {},
      )
      expect(comparison.greedy).toMatchObject({ kind: 'tie', parted: 2, forcedUntil: PROMPT.length + GENERATED - 2 })
      expect(comparison.greedy!.message).toContain(
        how === 'the model' ? "the model's own" : "the reference's run forced",
      )
      expect(comparison.checkpoints.at(-1)!.positions).toHaveLength(PROMPT.length + GENERATED - 1)
      expect(comparison.verdict.exitCode).toBe(0)
    })

    test('and finds what is wrong only there', () => {
      const candidate = alterRun(tied(parting(2), 2), {
        values: (name, values, { pos }) => {
          if (name === 'blk.4.ffn_gate' && pos === 9) values.reverse()
          return undefined
        },
      })
      const { verdict, divergence } = against(candidate, tied(truth, 2), { model, profile: 'float32' })
      expect(verdict.exitCode).toBe(1)
      expect(divergence).toMatchObject({ checkpoint: 'blk.4.ffn_gate', position: 9, phase: 'decode' })
    })
  })
})
