import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { EXIT } from '@plumbline/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compare } from '../src/comparison/compare.ts'
import type { Comparison } from '../src/comparison/comparison.ts'
import { openRecording } from '../src/formats/open-recording.ts'
import { recordOracle } from '../src/oracle/memory-oracle.ts'
import { memoryRecording } from '../src/recording/memory-recording.ts'
import type { RecordedRun } from '../src/recording/recording.ts'
import { MAX_TOKENS, SUBJECTS, type Subject } from './planted-mistakes.ts'

// Mistakes that the native core itself makes: an addon that is wrong on demand (packages/cuda-core/native/test/planted), beside the
// one that is shipped, traced by the worker and held against the oracle.

const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const CUDA_CORE = file('cuda-core')
const SHIPPED = file('cuda-core/build/Release/plumbline.node')
const PLANTED = file('cuda-core/build/planted/plumbline_planted.node')
const MODEL = file('../models/haiku-nano/haiku-nano-q8_0.gguf')
const VARIABLE = 'PLUMBLINE_PLANTED_MISTAKE'

let folder: string
let subject: Subject
let reference: RecordedRun
beforeAll(() => {
  execFileSync(process.execPath, ['scripts/build-planted.mjs'], { cwd: CUDA_CORE, stdio: 'inherit' })
  folder = mkdtempSync(join(tmpdir(), 'plumbline-native-mistakes-'))
  subject = SUBJECTS['haiku-nano-q8_0']!()
  reference = recordOracle(subject.model, subject.promptTokenIds, { maxTokens: MAX_TOKENS }).run
}, 1_800_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function trace(mistake: string, precision: string): Promise<string> {
  const out = join(folder, `${precision}-${mistake.replaceAll(/[@:]/g, '-')}`)
  const worker = file('worker/test/fixtures/worker-from-source.ts')
  const options = {
    model: MODEL,
    'prompt-token-ids': subject.promptTokenIds.join(),
    'max-tokens': MAX_TOKENS,
    precision,
    out,
  }
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const env = { ...process.env, PLUMBLINE_ADDON: PLANTED, [VARIABLE]: mistake }
  await promisify(execFile)(process.execPath, ['--conditions=source', worker, 'trace', ...flags], { env })
  return out
}

async function compareWithOracle(mistake: string, precision: string): Promise<Comparison> {
  const candidate = await openRecording(await trace(mistake, precision))
  try {
    return compare(candidate, memoryRecording([reference]), { model: subject.model })
  } finally {
    candidate.close()
  }
}

const MISTAKES = [
  ['double-bos', 'token_embd'],
  ['embedding-row-off-by-one:decode', 'token_embd'],
  ['norm-epsilon@2', 'blk.2.attn_norm'],
  ['bias-missing@3', 'blk.3.attn_q'],
  ['key-value-weights-swapped@1', 'blk.1.attn_k'],
  ['gate-up-weights-swapped@5', 'blk.5.ffn_gate'],
  ['weight-of-other-layer@4:decode', 'blk.4.attn_q'],
  ['rope-pairing@2', 'blk.2.attn_q_rope'],
  ['rope-offset', 'blk.0.attn_q_rope'],
  ['rope-base', 'blk.0.attn_q_rope'],
  ['attention-scale-missing@0', 'blk.0.attn_kqv'],
  ['attention-scale-doubled@5:decode', 'blk.5.attn_kqv'],
  ['mask-off-by-one-early@3:decode', 'blk.3.attn_kqv'],
  ['kv-stale@2:decode', 'blk.2.attn_kqv'],
  ['gate-up-swapped@1', 'blk.1.ffn_act'],
  ['branch-missing@4', 'blk.4.ffn_input'],
] as const

describe('a mistake of the native core', () => {
  it.each(
    MISTAKES.flatMap(([mistake, checkpoint]) => ['exact', 'fast'].map((precision) => [mistake, checkpoint, precision])),
  )('%s is found at %s and named: %s', { timeout: 120_000 }, async (mistake, checkpoint, precision) => {
    const { verdict, divergence } = await compareWithOracle(mistake!, precision!)
    expect(verdict.exitCode).toBe(EXIT.judgedFailed)
    expect(divergence).toMatchObject({ checkpoint, origin: 'local', side: 'candidate' })
    expect(divergence!.cause?.mistake).toBe(mistake!.replace(/[@:].*/, ''))
  })

  it.each(['exact', 'fast'])(
    'is nowhere to be found where none is planted: %s',
    { timeout: 120_000 },
    async (precision) => {
      const { verdict } = await compareWithOracle('', precision)
      expect(verdict.line).not.toMatch(/diverge/)
      expect(verdict.exitCode).toBe(EXIT.ok)
    },
  )

  it('is refused by name where it is unknown', { timeout: 120_000 }, async () => {
    await expect(trace('rope-pears', 'exact')).rejects.toThrow(/NAME one of double-bos, /)
  })

  it('is not in the addon that is shipped', () => {
    expect(readFileSync(PLANTED).includes(VARIABLE)).toBe(true)
    expect(readFileSync(SHIPPED).includes(VARIABLE)).toBe(false)
    expect(readFileSync(SHIPPED).includes('wrong on purpose')).toBe(false)
  })
})
