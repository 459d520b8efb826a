import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, loadTokenizer, type ReferenceModel, readGguf, type Tokenizer } from '@plumbline/reference'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compare } from '../src/comparison/compare.ts'
import { openRecording } from '../src/formats/open-recording.ts'
import { recordOracle } from '../src/oracle/memory-oracle.ts'
import { parsePlanting } from '../src/oracle/planting.ts'
import { memoryRecording } from '../src/recording/memory-recording.ts'
import type { RecordedRun, Slab } from '../src/recording/recording.ts'
import { alterRun } from './helpers/alter-run.ts'
import { runParity } from './helpers/run-parity.ts'

// What goes wrong in real life, each with the line that a tired person gets to read.

const PROMPT = [1, 403, 407, 261, 378, 432, 341, 293]
const llamaPath = committedAsset('stories260K/stories260K-f32.gguf')
const qwenPath = fileURLToPath(new URL('../../../models/haiku-nano/haiku-nano-q8_0.gguf', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'plumbline-stories-'))
let llama: { model: ReferenceModel; tokenizer: Tokenizer }
let truth: RecordedRun
beforeAll(() => {
  const gguf = readGguf(llamaPath)
  llama = { model: loadModel(gguf), tokenizer: loadTokenizer(gguf) }
  truth = recordOracle(llama.model, PROMPT, { maxTokens: 6 }).run
})
afterAll(() => rmSync(folder, { recursive: true }))

const judged = (candidate: RecordedRun, reference: RecordedRun, model = llama) =>
  compare(memoryRecording([candidate]), memoryRecording([reference]), model)

test('two dumps of different prompts', () => {
  const other = recordOracle(llama.model, [1, 403, 407, 261, 426, 432, 341, 293]).run
  const { verdict, alignment } = judged(other, truth)
  expect(verdict.exitCode).toBe(3)
  expect(verdict.line).toBe('NOT COMPARABLE: the prompts differ from position 4 on: token 426 "." against 378 " time"')
  expect(alignment.refusals[0]!.details!.join('\n')).toMatch(/^4 .*426 ".".*378 " time".*<- first difference$/m)
})

test('a reference with 1e18 and exact zeros from a dead pointer', () => {
  const dead = alterRun(truth, {
    values: (name, values, { pos }) => {
      if (name !== 'logits' || pos !== 0) return undefined
      values.fill(0, 512, 512 + 300)
      values[600] = 1e18
      return undefined
    },
  })
  const { verdict, reference, candidate } = judged(truth, dead)
  expect(verdict.exitCode).toBe(4)
  expect(verdict.line).toMatch(
    /^UNTRUSTED REFERENCE: logits at position 1: a value of size 1.00e\+18 is beyond any forward pass; logits at position 1: \d+ of 512 values are exactly 0$/,
  )
  expect(candidate.unfit).toEqual([])
  expect(new Set(reference.unfit.map(({ kind }) => kind))).toEqual(new Set(['magnitude', 'exact-zeros']))
})

describe('the first 10 logits equal and the rest not', () => {
  const prefixOnly = ({ id, identity, checkpoints }: RecordedRun): RecordedRun => {
    const whole = checkpoints.get('logits')!
    const slab = (index: number): Slab => {
      const inner = whole.slab(index)
      const read = (first = 0, rows = inner.count - first) => {
        const values = inner.read(first, rows)
        return Float32Array.from({ length: rows * 10 }, (_, i) => values[Math.floor(i / 10) * 512 + (i % 10)]!)
      }
      return { ...inner, coverage: { kind: 'prefix', perRow: 10 }, read }
    }
    const logits = { name: 'logits', width: 512, slabCount: whole.slabCount, slab }
    return { id, identity, checkpoints: new Map([['logits', logits]]) }
  }
  const wrongAfterTen = () =>
    alterRun(truth, {
      values: (name, values) => {
        if (name === 'logits')
          for (let i = 0; i < values.length; i++) if (i % 512 >= 10) values[i] = values[i]! * 0.5 + 1
        return undefined
      },
    })

  test('whole rows: diverged', () => {
    const { verdict, divergence } = judged(wrongAfterTen(), truth)
    expect(verdict.exitCode).toBe(1)
    expect(divergence).toMatchObject({ checkpoint: 'logits', position: 0, origin: 'local', side: 'candidate' })
    expect(verdict.line).toMatch(/^DIVERGED first at logits \(logits\), token 0 .* local/)
  })

  test('only the ten recorded: no verdict of equality rests on them', () => {
    const { verdict, coverage } = judged(prefixOnly(wrongAfterTen()), truth)
    expect(verdict).toMatchObject({ outcome: 'partial', exitCode: 3 })
    expect(verdict.line).toMatch(
      /^NO DIFFERENCE FOUND, BUT EQUALITY NOT SHOWN: only 10 of 512 logits were compared at position 7 \(2 %\)/,
    )
    expect(coverage).toBeLessThan(0.01)
  })
})

test('QKV biases zeroed', () => {
  const gguf = readGguf(qwenPath)
  const qwen = { model: loadModel(gguf), tokenizer: loadTokenizer(gguf) }
  const ids = qwen.tokenizer.encode('Write a haiku about the sea.')
  const right = recordOracle(qwen.model, ids).run
  const planting = parsePlanting('bias-missing@1', qwen.model)
  const { verdict, divergence } = judged(recordOracle(qwen.model, ids, { planting }).run, right, qwen)
  expect(verdict.exitCode).toBe(1)
  expect(divergence).toMatchObject({ checkpoint: 'blk.1.attn_q', position: 0, origin: 'local' })
  expect(verdict.line).toMatch(/^DIVERGED first at blk\.1\.attn_q \(layer 1, queries\), token 0 .*local.*cause: .*bias/)
})

test('RoPE pairs wrong', () => {
  const planting = parsePlanting('rope-pairing@2', llama.model)
  const { verdict, divergence } = judged(recordOracle(llama.model, PROMPT, { planting }).run, truth)
  expect(verdict.exitCode).toBe(1)
  expect(divergence).toMatchObject({ checkpoint: 'blk.2.attn_q_rope', layer: 2, position: 1, origin: 'local' })
  expect(verdict.line).toMatch(
    /^DIVERGED first at blk\.2\.attn_q_rope \(layer 2, RoPE of the queries\), token 1 " Once" in prefill: off by .*pairs/,
  )
})

test('a truncated candidate', async () => {
  const whole = join(folder, 'whole')
  const cut = join(folder, 'cut')
  const ids = PROMPT.join(',')
  const made = await runParity(['oracle', '--model', llamaPath, '--prompt-token-ids', ids, '--out', whole])
  expect(made.stderr).toBe('')
  cpSync(whole, cut, { recursive: true })
  truncateSync(join(cut, 'tensors.bin'), 100_000)
  const manifest = JSON.parse(readFileSync(join(cut, 'manifest.json'), 'utf8'))
  delete manifest.closed
  writeFileSync(join(cut, 'manifest.json'), JSON.stringify(manifest))
  const { exitCode, stdout } = await runParity(['compare', cut, whole])
  expect(exitCode).toBe(4)
  expect(stdout.split('\n')[0]).toMatch(/^UNTRUSTED CANDIDATE: the recording is truncated \(/)
  const [candidate, reference] = [await openRecording(whole), await openRecording(whole)]
  expect(compare(candidate, reference).verdict.exitCode).toBe(0)
})
