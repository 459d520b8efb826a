// `pnpm --filter @plumbline/parity bench`: how fast two traces are opened and compared. Made-up values of SmolLM2's shape: 32 layers,
// 512 tokens of prefill, every op; the candidate off by float32 noise, or equal to the last bit, or wrong in the middle layer.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { checkpointNames, type TraceManifest } from '@plumbline/protocol'
import { checkpointPlace } from '../src/comparison/checkpoint-name.ts'
import { compare } from '../src/comparison/compare.ts'
import { openPlumblineTrace } from '../src/formats/plumbline-trace.ts'
import { TraceWriter } from '../src/oracle/trace-writer.ts'

// As in src/cli.ts.
setFlagsFromString('--semi-space-growth-factor=1')

const LAYERS = 32
const TOKENS = 512
const WIDTHS: Readonly<Record<string, number>> = {
  attn_k: 192,
  attn_v: 192,
  attn_k_rope: 192,
  ffn_gate: 1536,
  ffn_up: 1536,
  ffn_act: 1536,
  logits: 8192,
}
const CHUNK = 64

const folder = mkdtempSync(join(tmpdir(), 'plumbline-bench-'))
try {
  const reference = write('reference', () => 0)
  const pairs = [
    ['equal', write('equal', () => 0)],
    ['float32 noise', write('noise', () => 1e-7)],
    ['wrong from the middle on', write('wrong', (layer) => (layer >= LAYERS / 2 ? 1e-2 : 1e-7))],
  ] as const
  for (const [what, candidate] of pairs) await measure(what, candidate, reference)
} finally {
  rmSync(folder, { recursive: true })
}

function write(name: string, error: (layer: number) => number): string {
  const directory = join(folder, name)
  const writer = new TraceWriter(directory, manifest())
  for (let pos = 0; pos < TOKENS; pos += CHUNK) {
    for (const checkpoint of checkpointNames(LAYERS)) {
      const { layer, op, order } = checkpointPlace(checkpoint)!
      const width = WIDTHS[op] ?? 576
      const size = error(layer ?? (op === 'token_embd' ? 0 : LAYERS))
      const values = new Float64Array(CHUNK * width)
      let state = Math.imul(order + 7, 0x9e3779b1) ^ pos
      for (let i = 0; i < values.length; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0
        values[i] = (state / 2 ** 30) * (1 + size * ((state & 0xff) / 128 - 1))
      }
      writer.write({ name: checkpoint, layer, phase: 'prefill', pos, count: CHUNK, width, values })
    }
  }
  writer.close([], 'MAX_TOKENS')
  return directory
}

async function measure(what: string, candidatePath: string, referencePath: string): Promise<void> {
  const began = performance.now()
  const [candidate, reference] = await Promise.all([
    openPlumblineTrace(candidatePath),
    openPlumblineTrace(referencePath),
  ])
  const opened = performance.now()
  const cpu = process.cpuUsage()
  const { verdict } = compare(candidate, reference)
  const compared = performance.now()
  const { user, system } = process.cpuUsage(cpu)
  const bytes = [candidatePath, referencePath].reduce((sum, path) => sum + statSync(join(path, 'tensors.bin')).size, 0)
  const rate = (ms: number) => `${(bytes / 1e6 / ms).toFixed(2)} GB/s`
  const memory = `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB at most`
  console.log(
    `${what}: ${(bytes / 1e9).toFixed(2)} GB, CPU of the comparison ${((user + system) / 1e6).toFixed(2)} s, opened in ${((opened - began) / 1000).toFixed(2)} s, compared in ${((compared - opened) / 1000).toFixed(2)} s (${rate(compared - opened)}; with opening ${rate(compared - began)}), ${memory}`,
  )
  console.log(`  ${verdict.line}`)
  candidate.close()
  reference.close()
}

function manifest(): TraceManifest {
  return {
    v: 1,
    run: crypto.randomUUID(),
    level: 'ops',
    model: {
      name: 'made-up',
      sha256: null,
      architecture: 'llama',
      quant_kind: 'F32',
      layers: LAYERS,
      vocab_size: 8192,
    },
    tokenizer_sha256: null,
    chat_template_sha256: null,
    prompt_token_ids: Array.from({ length: TOKENS }, (_, i) => i),
    sampling: { temperature: 0, top_k: 0, top_p: 1, min_p: 0, repetition_penalty: 1, seed: '0' },
    max_tokens: 0,
    engine: { name: 'bench', version: '1', commit: null },
    backend: 'none',
    device: 'none',
    precision: 'exact',
    dtypes: { weights: 'F32', activations: 'F32', kv_cache: 'F32' },
    not_observed: [],
    unfused: false,
    started_at: new Date().toISOString(),
  }
}
