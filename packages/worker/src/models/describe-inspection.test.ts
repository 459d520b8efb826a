import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { committedAsset } from '@plumbline/protocol/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { type Inspection, inspectModel } from '../engine-host/inspect-model.ts'
import { describeInspection, problemOf } from './describe-inspection.ts'

const MODEL = committedAsset('stories260K/stories260K-f32.gguf')
const folder = mkdtempSync(join(tmpdir(), 'plumbline-inspect-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The model with one string in it replaced by another of the same length. */
function altered(from: string, to: string): string {
  const path = join(folder, `${to}.gguf`)
  const bytes = readFileSync(MODEL)
  const at = bytes.indexOf(from)
  expect([at > 0, to.length]).toEqual([true, from.length])
  bytes.write(to, at)
  writeFileSync(path, bytes)
  return path
}

describe('inspect', () => {
  it('says what a file holds, and that it can be run', async () => {
    const inspection = await inspectModel(MODEL)
    expect(problemOf(inspection)).toBeUndefined()
    const lines = describeInspection(MODEL, inspection).split('\n')
    expect(lines).toContain('It can be run.')
    const text = lines.join('\n')
    expect(text).toMatch(/^ {2}tokenizer\.ggml\.tokens +512 x string$/m)
    expect(text).toMatch(/^ {2}llama\.block_count +5$/m)
    expect(text).toMatch(/^ {2}blk\.0\.attn_k\.weight +F32 +64 x 32 +8\.2 kB$/m)
    expect(text).toMatch(/^llama, F32, 2\d\d,\d\d\d parameters$/m)
  })

  it('says why a model of an unknown architecture cannot be run', async () => {
    const inspection = await inspectModel(altered('llama', 'lamma'))
    expect(problemOf(inspection)?.code).toBeDefined()
    expect(describeInspection('lamma.gguf', inspection)).toMatch(/It cannot be run: .+ \([A-Z_]+\)/)
  })

  it('says why a model of an unknown tokenizer cannot be run', async () => {
    const inspection = await inspectModel(MODEL)
    const metadata = { ...inspection.metadata, 'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.pre': 'tekken' }
    expect(problemOf({ ...inspection, metadata })).toMatchObject({ code: 'UNSUPPORTED_TOKENIZER' })
  })

  // It said "It can be run." of all of these, and serving them failed.
  it.each<[Record<string, Inspection['metadata'][string] | undefined>, string]>([
    [{ model: undefined }, 'the file holds no tokenizer'],
    [{ tokens: undefined }, 'tokenizer.ggml.tokens is missing'],
    [{ tokens: { array: 'string', length: 0 } }, 'tokenizer.ggml.tokens is empty'],
    [{ tokens: { array: 'u8', length: 512 } }, 'tokenizer.ggml.tokens is missing'],
    [{ scores: undefined }, 'tokenizer.ggml.scores holds 0 scores for 512 tokens'],
    [{ scores: { array: 'f32', length: 511 } }, 'tokenizer.ggml.scores holds 511 scores for 512 tokens'],
    [{ token_type: { array: 'i32', length: 511 } }, 'tokenizer.ggml.token_type holds 511 types for 512 tokens'],
    [{ model: 'gpt2', pre: 'qwen2', merges: undefined }, 'tokenizer.ggml.merges is missing'],
  ])('says why a model whose tokenizer cannot be built cannot be run: %#', async (changes, message) => {
    const inspection = await inspectModel(MODEL)
    const metadata = { ...inspection.metadata }
    for (const [name, value] of Object.entries(changes)) {
      delete metadata[`tokenizer.ggml.${name}`]
      if (value !== undefined) metadata[`tokenizer.ggml.${name}`] = value
    }
    const problem = problemOf({ ...inspection, metadata })
    expect(problem).toMatchObject({ code: 'UNSUPPORTED_TOKENIZER' })
    expect(problem!.message).toContain(message)
  })

  it('throws what the reader says of a file that is none', async () => {
    const path = join(folder, 'truncated.gguf')
    writeFileSync(path, readFileSync(MODEL).subarray(0, 1_000))
    await expect(inspectModel(path)).rejects.toMatchObject({ code: 'INVALID_GGUF' })
  })
})
