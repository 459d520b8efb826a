import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LAYER_CHECKPOINTS } from '@plumbline/protocol'
import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, nmse, type ReferenceModel, readGguf } from '@plumbline/reference'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { plantedComparison } from '../../../test/helpers/planted-comparison.ts'
import { compare } from '../../comparison/compare.ts'
import type { Op } from '../../comparison/comparison.ts'
import { recordOracle } from '../../oracle/memory-oracle.ts'
import type { Planting } from '../../oracle/planting.ts'
import { MemoryRun, memoryRecording } from '../../recording/memory-recording.ts'
import type { Recording } from '../../recording/recording.ts'
import { LARGEST_BUNDLE_BYTES, readBundle } from './bundle.ts'
import { makeBundle } from './make-bundle.ts'
import { bundleOutput, replayBundle } from './replay.ts'
import { showBundle } from './show-bundle.ts'

const PROMPT = [1, 403, 407, 261, 378, 432, 341]
let model: ReferenceModel
let folder: string
let reference: Recording
beforeAll(() => {
  model = loadModel(readGguf(committedAsset('stories260K/stories260K-f32.gguf')))
  reference = memoryRecording([recordOracle(model, PROMPT).run])
  folder = mkdtempSync(join(tmpdir(), 'plumbline-repro-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** An op that gives a hundredth too much. */
const tooMuch = (op: Op): Planting => ({
  mistake: {
    name: 'too-much',
    description: 'gives too much',
    ops: [op],
    compute: (site) => site.right().map((value) => value * 1.01),
  },
  op,
  ...((LAYER_CHECKPOINTS as readonly string[]).includes(op) && { layer: 2 }),
})

function pair(op: Op) {
  return { candidate: memoryRecording([recordOracle(model, PROMPT, { planting: tooMuch(op) }).run]), reference }
}

async function unzipped(zip: Buffer | undefined) {
  expect(zip).toBeDefined()
  const path = join(folder, 'out.zip')
  writeFileSync(path, zip!)
  return readBundle(path)
}

describe('a repro bundle', () => {
  test.each(['token_embd', ...LAYER_CHECKPOINTS, 'output_norm', 'logits'] as const)(
    '%s: computed again from the bundle alone, the reference is right and the candidate is not',
    async (op) => {
      const { candidate } = pair(op)
      const comparison = compare(candidate, reference, { model })
      expect(comparison.divergence?.op).toBe(op)
      const bundle = await unzipped(await makeBundle(comparison, candidate, reference, model))
      // Recordings hold float32.
      expect(nmse(bundleOutput(bundle, 'reference'), replayBundle(bundle, 'reference')!)).toBeLessThan(1e-13)
      expect(nmse(bundleOutput(bundle, 'candidate'), replayBundle(bundle, 'candidate')!)).toBeCloseTo(1e-4, 6)
      const { text, differs } = showBundle(bundle)
      expect(differs).toBe(true)
      expect(text).toMatch(/candidate against reference +\S+ +differs/)
      expect(text).toMatch(/reference against the op on reference's inputs +\S+ +within tolerance/)
    },
  )

  test('the same divergence gives the same bytes', async () => {
    const { candidate } = pair('ffn_down')
    const make = () => makeBundle(compare(candidate, reference, { model }), candidate, reference, model)
    expect((await make())!.equals((await make())!)).toBe(true)
  })

  test('an input that was not recorded is replayed, and the bundle says so', async () => {
    const layersAlone = (recording: Recording): Recording => {
      const run = recording.runs[0]!
      const checkpoints = new Map(
        [...run.checkpoints].filter(
          ([name]) => /output$|token_embd|logits/.test(name) && !name.endsWith('attn_output'),
        ),
      )
      return memoryRecording([{ id: run.id, identity: run.identity, checkpoints }])
    }
    const candidate = layersAlone(pair('attn_q').candidate)
    const layers = layersAlone(reference)
    const comparison = compare(candidate, layers, { model })
    expect(comparison.divergence?.checkpoint).toBe('blk.2.output')
    const bundle = await unzipped(await makeBundle(comparison, candidate, layers, model))
    expect(bundle.repro.notes).toContainEqual(
      expect.stringMatching(/^The candidate's blk.2.ffn_input, blk.2.ffn_down was not recorded: it is/),
    )
    expect(showBundle(bundle).differs).toBe(true)
  })

  test('without a model: the outputs, and a note that says why there is no more', async () => {
    const { candidate } = pair('attn_q')
    const bundle = await unzipped(await makeBundle(compare(candidate, reference), candidate, reference, undefined))
    expect(bundle.repro.replay).toBeNull()
    expect(showBundle(bundle)).toMatchObject({ differs: true })
    expect(showBundle(bundle).text).toContain('no model was given')
  })

  test('nothing diverged: no bundle', async () => {
    expect(await makeBundle(compare(reference, reference, { model }), reference, reference, model)).toBeUndefined()
  })

  // 128 values of a key and a value at 700 positions are 0.7 MB a side, at 1,500 positions 1.5 MB.
  test.each([
    [700, ['reference']],
    [1_500, []],
  ])('attention over %i positions stays under 1 MB, with the inputs of %j', async (positions, sides) => {
    const config = { layers: 1, heads: 2, kvHeads: 1, keyLength: 128, valueLength: 128 }
    const noise = (count: number, seed: number) => {
      const values = new Float32Array(count)
      for (let i = 0; i < count; i++) values[i] = Math.sin(i * i * 0.7 + seed)
      return values
    }
    const recording = (id: string, seed: number) => {
      const run = new MemoryRun(id, { promptTokenIds: [1] })
      const widths = { attn_q_rope: 256, attn_k_rope: 128, attn_v: 128, attn_kqv: 256 }
      for (const [name, width] of Object.entries(widths))
        run.add(`blk.0.${name}`, { pos: 0 }, width, noise(width * positions, seed))
      return memoryRecording([run])
    }
    const { comparison } = plantedComparison({ layers: 1, positions: 2 })
    const divergence = {
      ...comparison.divergence!,
      checkpoint: 'blk.0.attn_kqv',
      op: 'attn_kqv' as const,
      layer: 0,
      position: positions - 1,
    }
    const checkpoints = comparison.checkpoints.map((checkpoint) => ({ ...checkpoint, width: 256 }))
    const zip = await makeBundle(
      { ...comparison, checkpoints, divergence },
      recording('candidate', 1),
      recording('reference', 2),
      { config } as ReferenceModel,
    )
    expect(zip!.length).toBeLessThan(LARGEST_BUNDLE_BYTES)
    const { repro } = await unzipped(zip)
    expect(repro.sides).toEqual(sides)
    expect(repro.notes.join()).toContain('too large for a bundle')
  })

  test.each([
    ['no zip', Buffer.from('not a zip')],
    ['nothing', Buffer.alloc(0)],
  ])('%s is no bundle', async (_, bytes) => {
    await expect(unzipped(bytes)).rejects.toMatchObject({ code: 'INVALID_RECORDING' })
  })

  test('every damaged byte is an error that says what is wrong, or one that says nothing', async () => {
    const { candidate } = pair('attn_q_rope')
    const zip = (await makeBundle(compare(candidate, reference, { model }), candidate, reference, model))!
    const whole = showBundle(await unzipped(zip))
    for (let at = 0; at < zip.length; at += 7) {
      const damaged = Buffer.from(zip)
      damaged[at]! ^= 0xff
      const path = join(folder, 'damaged.zip')
      writeFileSync(path, damaged)
      const shown = await readBundle(path)
        .then(showBundle)
        .catch((error: unknown) => error)
      // A byte of a time stamp or a mode changes nothing; all else is seen.
      if (shown instanceof Error) expect(shown).toMatchObject({ code: 'INVALID_RECORDING' })
      else expect(shown).toEqual(whole)
    }
  })
})
