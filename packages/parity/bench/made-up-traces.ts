import { appendFileSync, closeSync, ftruncateSync, mkdirSync, openSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkpointNames, type TraceManifest } from '@plumbline/protocol'
import { checkpointPlace } from '../src/comparison/checkpoint-name.ts'
import type { Op } from '../src/comparison/comparison.ts'
import { graphNode } from '../src/graph/graph.ts'
import { TraceWriter } from '../src/oracle/trace-writer.ts'
import { compare, openRecording } from './built.ts'

// Made-up values of SmolLM2's shape: 32 layers, 512 tokens of prefill, every op.
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

/** Of a layer's values, relative. */
const ERRORS = {
  reference: () => 0,
  honest: () => 1e-7,
  wrong: (layer: number) => (layer >= LAYERS / 2 ? 1e-2 : 1e-7),
}

/** Sums and activations are those of what is recorded as their inputs, as in any forward pass. Returns its folder. */
export function writeTrace(directory: string, kind: keyof typeof ERRORS): string {
  const writer = new TraceWriter(directory, manifest())
  for (let pos = 0; pos < TOKENS; pos += CHUNK) {
    const written = new Map<string, Float64Array>()
    for (const checkpoint of checkpointNames(LAYERS)) {
      const { layer, op, order } = checkpointPlace(checkpoint)!
      const width = WIDTHS[op] ?? 576
      const size = ERRORS[kind](layer ?? (op === 'token_embd' ? 0 : LAYERS))
      const values = sumOrActivation(checkpoint, op, written) ?? new Float64Array(CHUNK * width)
      let state = Math.imul(order + 7, 0x9e3779b1) ^ pos
      for (let i = 0; i < values.length; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0
        const value = values[i] === 0 ? state / 2 ** 30 : values[i]!
        values[i] = value * (1 + size * ((state & 0xff) / 128 - 1))
      }
      written.set(checkpoint, values)
      writer.write({ name: checkpoint, layer, phase: 'prefill', pos, count: CHUNK, width, values })
    }
  }
  writer.close([], 'MAX_TOKENS')
  return directory
}

function sumOrActivation(checkpoint: string, op: Op, written: ReadonlyMap<string, Float64Array>) {
  if (op !== 'ffn_input' && op !== 'output' && op !== 'ffn_act') return undefined
  const [left, right] = graphNode(checkpoint, LAYERS)!.inputs.map((name) => written.get(name)!)
  return op === 'ffn_act'
    ? left!.map((gate, i) => (gate / (1 + Math.exp(-gate))) * right![i]!)
    : left!.map((value, i) => value + right![i]!)
}

export async function compareTraces(candidatePath: string, referencePath: string) {
  const begun = performance.now()
  const [candidate, reference] = await Promise.all([openRecording(candidatePath), openRecording(referencePath)])
  const { verdict } = compare(candidate, reference)
  const seconds = (performance.now() - begun) / 1000
  candidate.close()
  reference.close()
  const bytes = [candidatePath, referencePath].reduce((sum, path) => sum + statSync(join(path, 'tensors.bin')).size, 0)
  return { seconds, bytes, line: verdict.line }
}

const [LARGE_RECORDS, LARGE_WIDTH] = [100_000, 25_600]

/** 10 GB of zeros, sparse. Never closed, since the hashes would take longer than all else: a fault, which reading does not mind. */
export function writeLargeTrace(directory: string): string {
  mkdirSync(directory)
  const names = checkpointNames(LAYERS)
  const large = manifest(1)
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify(large))
  const stats = { min: 0, max: 0, mean: 0, rms: 0, nonfinite: 0 }
  const [nbytes, shape] = [LARGE_WIDTH * Float32Array.BYTES_PER_ELEMENT, [1, LARGE_WIDTH]]
  for (let index = 0, lines = ''; index < LARGE_RECORDS; index++) {
    const name = names[index % names.length]!
    const pos = Math.floor(index / names.length)
    const phase = pos < 1 ? 'prefill' : 'decode'
    const place = { v: 1, run: large.run, phase, pos, n: 1, layer: checkpointPlace(name)!.layer, name, dtype: 'F32' }
    lines += `${JSON.stringify({ ...place, shape, stats, offset: index * nbytes, nbytes, values: [0] })}\n`
    if (lines.length < 1 << 20 && index < LARGE_RECORDS - 1) continue
    appendFileSync(join(directory, 'trace.jsonl'), lines)
    lines = ''
  }
  const tensors = openSync(join(directory, 'tensors.bin'), 'w')
  ftruncateSync(tensors, LARGE_RECORDS * nbytes)
  closeSync(tensors)
  return directory
}

function manifest(tokens = TOKENS): TraceManifest {
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
    prompt_token_ids: Array.from({ length: tokens }, (_, i) => i),
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
