import { expect, it } from 'vitest'
import { type TraceManifest, traceManifestSchema } from './trace.ts'
import { manifestSha256, manifestText } from './trace-manifest.ts'

const open: TraceManifest = {
  v: 1,
  run: 'r',
  level: 'ops',
  model: { name: 'm', sha256: null, architecture: 'llama', quant_kind: 'F32', layers: 1, vocab_size: 2 },
  tokenizer_sha256: null,
  chat_template_sha256: null,
  prompt_token_ids: [1],
  sampling: { temperature: 0, top_k: 0, top_p: 1, min_p: 0, repetition_penalty: 1, seed: '0' },
  max_tokens: 0,
  engine: { name: 'e', version: '0', commit: null },
  backend: 'cpu',
  device: 'cpu',
  precision: 'exact',
  dtypes: { weights: 'F32', activations: 'F32', kv_cache: 'F32' },
  not_observed: [],
  unfused: false,
  started_at: '2026-01-01T00:00:00Z',
}
const closed: TraceManifest = {
  ...open,
  closed: {
    ended_at: '2026-01-01T00:00:01Z',
    stop_reason: 'EOS',
    records: 0,
    generated_token_ids: [],
    trace_sha256: 'a'.repeat(64),
    tensors_sha256: 'b'.repeat(64),
  },
}

it('states of a closed manifest what it hashes to, and of another nothing', () => {
  const text = manifestText(closed)
  const read = traceManifestSchema.parse(JSON.parse(text))
  expect(read.closed!.manifest_sha256).toBe(manifestSha256(text))
  expect({ ...read, closed: { ...read.closed!, manifest_sha256: undefined } }).toEqual(closed)
  expect(manifestText(read)).toBe(text)
  expect(manifestText(open)).not.toContain('sha256":"')
})

it('hashes to something else with any other byte changed', () => {
  const text = manifestText(closed)
  for (const [from, to] of [
    ['"precision":"exact"', '"precision":"fast"'],
    ['"records":0', '"records":1'],
    ['{"v":1', '{ "v":1'],
    ['"run":"r"', '"run":"r","run":"s"'],
  ] as const) {
    expect(manifestSha256(text.replace(from, to)), to).not.toBe(manifestSha256(text))
  }
})
