import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { compare } from '../src/comparison/compare.ts'
import type { Comparison } from '../src/comparison/comparison.ts'
import { openRecording } from '../src/formats/open-recording.ts'
import { recordOracle } from '../src/oracle/memory-oracle.ts'
import { memoryRecording } from '../src/recording/memory-recording.ts'
import type { RecordedRun } from '../src/recording/recording.ts'
import { MAX_TOKENS, SUBJECTS, type Subject } from './planted-mistakes.ts'

const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const MODEL = file('../models/haiku-nano/haiku-nano-q8_0.gguf')

export const SHIPPED_ADDON = file('cuda-core/build/Release/plumbline.node')
export const PLANTED_ADDON = file('cuda-core/build/planted/plumbline_planted.node')
/** NAME[@LAYER][:prefill|decode], read by the planted addon alone. */
export const VARIABLE = 'PLUMBLINE_PLANTED_MISTAKE'

/** Mistakes of packages/cuda-core/native/test/planted, and the first checkpoint that each makes wrong. */
export const NATIVE_MISTAKES = [
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

/** The name alone, as in the catalogue. */
export const kindOf = (mistake: string) => mistake.replace(/[@:].*/, '')

export function buildPlantedAddon(): void {
  execFileSync(process.execPath, ['scripts/build-planted.mjs'], { cwd: file('cuda-core'), stdio: 'inherit' })
}

/** Has the worker run haiku-nano on the planted addon, and holds its traces against the oracle. */
export class NativePlanter {
  readonly #folder = mkdtempSync(join(tmpdir(), 'plumbline-native-mistakes-'))
  readonly #subject: Subject = SUBJECTS['haiku-nano-q8_0']!()
  readonly #reference: RecordedRun = recordOracle(this.#subject.model, this.#subject.promptTokenIds, {
    maxTokens: MAX_TOKENS,
  }).run

  /** The folder of the worker's trace. */
  async trace(mistake: string, precision: string): Promise<string> {
    const options = {
      model: MODEL,
      'prompt-token-ids': this.#subject.promptTokenIds.join(),
      'max-tokens': MAX_TOKENS,
      precision,
      out: join(this.#folder, `${precision}-${mistake.replaceAll(/[@:]/g, '-')}`),
    }
    const worker = file('worker/test/fixtures/worker-from-source.ts')
    const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
    const env = { ...process.env, PLUMBLINE_ADDON: PLANTED_ADDON, [VARIABLE]: mistake }
    await promisify(execFile)(process.execPath, ['--conditions=source', worker, 'trace', ...flags], { env })
    return options.out
  }

  async compare(mistake: string, precision: string): Promise<Comparison> {
    const candidate = await openRecording(await this.trace(mistake, precision))
    try {
      return compare(candidate, memoryRecording([this.#reference]), { model: this.#subject.model })
    } finally {
      candidate.close()
    }
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
