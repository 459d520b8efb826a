import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { EXIT } from '@plumbline/protocol'
import { asset, describeWithAssets } from '@plumbline/protocol/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compare } from '../src/comparison/compare.ts'
import { openRecording } from '../src/formats/open-recording.ts'
import { recordOracle } from '../src/oracle/memory-oracle.ts'
import { memoryRecording } from '../src/recording/memory-recording.ts'
import { jsonReportSchema } from '../src/report/json-report.ts'
import { runParity } from './helpers/run-parity.ts'
import { SUBJECTS } from './planted-mistakes.ts'

// The forward pass on the CUDA kernels, each run on the host by the emulator (packages/cuda-core/native/test/emulator).

const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const worker = file('worker/test/fixtures/worker-from-source.ts')
const haikuNano = file('../models/haiku-nano')
const withAddon = (name: string) => ({ ...process.env, PLUMBLINE_ADDON: file(`cuda-core/build/emulated/${name}.node`) })

/** What exact is held to on the CPU, too. */
const MOST_LOGITS_NMSE = 1e-10

beforeAll(() => {
  execFileSync(process.execPath, ['scripts/build-emulated.mjs'], { cwd: file('cuda-core'), stdio: 'inherit' })
}, 1_800_000)

async function holdToFloat64(model: string, reference: string): Promise<void> {
  const { exitCode, stdout, stderr } = await runParity(
    [
      ...['run', '--model', model, '--reference', reference, '--device', 'emulator', '--precision', 'exact'],
      ...['--worker-command', `${process.execPath} --conditions=source ${worker}`],
      ...['--max-nmse', `${MOST_LOGITS_NMSE}`, '--json'],
    ],
    withAddon('plumbline_emulated'),
  )
  expect(stdout, stderr).not.toBe('')
  const { comparisons } = jsonReportSchema.parse(JSON.parse(stdout))
  const lines = comparisons.map(({ verdict }) => verdict.line)
  expect(lines.length, stderr).toBeGreaterThan(0)
  expect(lines.join('\n')).not.toMatch(/DIVERGED|UNTRUSTED|NOT /)
  expect(exitCode).toBe(EXIT.ok)
}

test('haiku-nano on the CUDA kernels is what float64 makes of it', { timeout: 600_000 }, async () => {
  await holdToFloat64(join(haikuNano, 'haiku-nano-q8_0.gguf'), join(haikuNano, 'reference'))
})

describeWithAssets(describe, 'on the CUDA kernels', () => {
  test.each(['stories260K-f32', 'random-qwen2-q4_k_m', 'random-llama-q6_k'])(
    '%s is what Transformers makes of it in float64, prefill and decode',
    { timeout: 900_000 },
    async (name) => {
      await holdToFloat64(asset(`models/${name}.gguf`), asset(`reference/transformers/${name}`))
    },
  )
})

describe('a mistake planted in a CUDA kernel', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-planted-kernels-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test.each([
    ['rope-pairing', 'blk.0.attn_q_rope'],
    ['gqa-heads-interleaved', 'blk.0.attn_kqv'],
    ['bias-missing', 'blk.0.attn_q'],
    ['mask-off-by-one-early', 'blk.0.attn_kqv'],
  ])('%s is found at %s and named', { timeout: 300_000 }, async (mistake, checkpoint) => {
    const subject = SUBJECTS['haiku-nano-q8_0']!()
    const maxTokens = 4
    const out = join(folder, mistake)
    const options = {
      model: join(haikuNano, 'haiku-nano-q8_0.gguf'),
      'prompt-token-ids': subject.promptTokenIds.join(),
      'max-tokens': `${maxTokens}`,
      device: 'emulator',
      precision: 'exact',
      out,
    }
    const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
    await promisify(execFile)(process.execPath, ['--conditions=source', worker, 'trace', ...flags], {
      env: withAddon(`plumbline_emulated_${mistake}`),
    })
    const candidate = await openRecording(out)
    try {
      const reference = recordOracle(subject.model, subject.promptTokenIds, { maxTokens }).run
      const { verdict, divergence } = compare(candidate, memoryRecording([reference]), { model: subject.model })
      expect(verdict.exitCode).toBe(EXIT.judgedFailed)
      expect(divergence).toMatchObject({ checkpoint, origin: 'local', side: 'candidate', cause: { mistake } })
    } finally {
      candidate.close()
    }
  })
})
