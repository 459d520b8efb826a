import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, type ReferenceModel, readGguf } from '@plumbline/reference'
import { beforeAll, describe, expect, it } from 'vitest'
import { recordOracle } from '../oracle/memory-oracle.ts'
import type { OracleOptions } from '../oracle/oracle.ts'
import { parsePlanting } from '../oracle/planting.ts'
import type { Checkpoint, RecordedRun, Slab } from '../recording/recording.ts'
import { diagnose } from './diagnose.ts'

const PROMPT = [1, 403, 407, 261, 378, 432, 341, 293, 396, 411, 290, 265]
const MAX_TOKENS = 4
let model: ReferenceModel
let reference: RecordedRun
beforeAll(() => {
  model = loadModel(readGguf(committedAsset('stories260K/stories260K-f32.gguf')))
  reference = recordOracle(model, PROMPT, { maxTokens: MAX_TOKENS }).run
})

function wrong(mistake: string, options: OracleOptions = {}): RecordedRun {
  return recordOracle(model, PROMPT, { maxTokens: MAX_TOKENS, planting: parsePlanting(mistake, model), ...options }).run
}

/** The run as an engine that shows only these checkpoints would leave it. */
function onlyWith(run: RecordedRun, shows: (name: string) => boolean): RecordedRun {
  return {
    id: run.id,
    identity: run.identity,
    checkpoints: new Map([...run.checkpoints].filter(([name]) => shows(name))),
  }
}

/** The checkpoint with each value wrong: `i` counts within what is read at once. */
function changed(checkpoint: Checkpoint, wrongly: (x: number, i: number) => number): Checkpoint {
  const slab = (index: number): Slab => {
    const right = checkpoint.slab(index)
    return { ...right, read: (first = 0, rows = right.count - first) => right.read(first, rows).map(wrongly) }
  }
  return { name: checkpoint.name, width: checkpoint.width, slabCount: checkpoint.slabCount, slab }
}

describe('origin', () => {
  it('is local where the op itself is wrong, and inherited behind it', () => {
    const candidate = wrong('gelu-for-silu@1')
    const question = { candidate, reference, model }
    expect(diagnose({ ...question, divergence: { checkpoint: 'blk.1.ffn_act', position: 3 } })).toMatchObject({
      origin: 'local',
      side: 'candidate',
    })
    for (const checkpoint of ['blk.1.ffn_down', 'blk.2.attn_norm', 'blk.4.attn_kqv', 'logits']) {
      const { origin, cause } = diagnose({ ...question, divergence: { checkpoint, position: 3 } })
      expect([origin, cause?.message], checkpoint).toEqual(['inherited', 'blk.1.ffn_act uses GELU (tanh) for SiLU'])
    }
  })

  it('is told of the reference where the reference is the one that is wrong', () => {
    const question = { candidate: reference, reference: wrong('mask-missing@2'), model }
    expect(diagnose({ ...question, divergence: { checkpoint: 'blk.2.attn_kqv', position: 0 } })).toMatchObject({
      origin: 'local',
      side: 'reference',
      cause: { mistake: 'mask-missing', confidence: 'certain' },
    })
  })

  it.each(['blk.1.attn_q_rope', 'blk.1.attn_kqv', 'blk.1.output', 'logits'])(
    'is unknown where inputs of %s were not recorded',
    (checkpoint) => {
      const shows = (name: string) => name === checkpoint
      const candidate = onlyWith(wrong('rope-pairing@1'), shows)
      const question = { candidate, reference, model, divergence: { checkpoint, position: 3 } }
      expect(diagnose(question)).toEqual({ origin: 'unknown' })
    },
  )

  it('is unknown without the model, and for checkpoints that it does not have', () => {
    const candidate = wrong('rope-pairing@1')
    const divergence = { checkpoint: 'blk.1.attn_q_rope', position: 3 }
    expect(diagnose({ candidate, reference, model: undefined, divergence })).toEqual({ origin: 'unknown' })
    expect(
      diagnose({ candidate, reference, model, divergence: { ...divergence, checkpoint: 'blk.9.output' } }),
    ).toEqual({
      origin: 'unknown',
    })
  })
})

describe('cause', () => {
  it('names the parameter, in a sentence', () => {
    const question = { candidate: wrong('rope-base@2'), reference, model }
    const { cause } = diagnose({ ...question, divergence: { checkpoint: 'blk.2.attn_q_rope', position: 1 } })
    expect(cause).toMatchObject({
      mistake: 'rope-base',
      message: 'blk.2.attn_q_rope uses the base (rope_theta) 500000 in the place of 10000',
      confidence: 'certain',
    })
    expect(cause!.residual).toBeLessThan(1e-13)
  })

  it('tells what the data cannot tell apart as alternatives, the simpler first', () => {
    // Position 0 of a chunk that begins there is no rotation.
    const question = { candidate: wrong('rope-position-restarts@2:decode'), reference, model }
    const { cause } = diagnose({
      ...question,
      divergence: { checkpoint: 'blk.2.attn_q_rope', position: PROMPT.length },
    })
    const message = expect.stringMatching(
      /^blk.2.attn_q_rope is not rotated at all \(or as well: .*rope-position-restarts/,
    )
    expect(cause).toMatchObject({ mistake: 'rope-missing', confidence: 'likely', message })
    expect(cause!.alternatives[0]).toBe('rope-position-restarts')
  })

  it('is none where no mistake of the list explains the difference', () => {
    const candidate = onlyWith(reference, () => true)
    const noisy = changed(reference.checkpoints.get('blk.2.attn_q')!, (x, i) => x + Math.sin(12.9898 * i))
    const checkpoints = new Map(candidate.checkpoints).set('blk.2.attn_q', noisy)
    const question = { candidate: { ...candidate, checkpoints }, reference, model }
    const diagnosis = diagnose({ ...question, divergence: { checkpoint: 'blk.2.attn_q', position: 0 } })
    expect(diagnosis.origin).toBe('local')
    expect(diagnosis.cause).toBeUndefined()
  })

  const width = 64
  it.each<[string, string, (x: number, i: number) => number]>([
    ['logits x 0.001', 'logits', (x) => 0.001 * x],
    ['logits x 0.1', 'logits', (x) => 0.1 * x],
    ['attn_kqv x 0.05', 'blk.2.attn_kqv', (x) => 0.05 * x],
    ['clamped attn_kqv', 'blk.2.attn_kqv', (x) => Math.max(-0.1, Math.min(0.1, x))],
    ['a head of noise', 'blk.2.attn_kqv', (x, i) => (i % width < 8 ? Math.sin(12.9898 * i) : x)],
  ])('is not stated where no mistake of the list gives what was recorded: %s', (_, name, wrongly) => {
    const checkpoints = new Map(reference.checkpoints).set(name, changed(reference.checkpoints.get(name)!, wrongly))
    const question = { candidate: { ...reference, checkpoints }, reference, model }
    const { origin, cause } = diagnose({ ...question, divergence: { checkpoint: name, position: 0 } })
    expect([origin, cause]).toEqual(['local', undefined])
  })

  it.each(['weight-transposed@2.ffn_up', 'gqa-heads-interleaved@1', 'norm-plus-one@3', 'kv-shifted@2:decode'])(
    'is found under the noise of 8-bit activations: %s',
    (mistake) => {
      const candidate = wrong(mistake, { activations: 'Q8' })
      const { op, layer } = parsePlanting(mistake, model)
      const position = mistake.endsWith('decode') ? PROMPT.length : 1
      const divergence = { checkpoint: `blk.${layer}.${op}`, position, tolerance: 1e-3 }
      const { origin, cause } = diagnose({ candidate, reference, model, divergence })
      expect([origin, cause?.mistake]).toEqual(['local', mistake.replace(/@.*/, '')])
    },
  )

  it('is none where only noise has grown', () => {
    const candidate = recordOracle(model, PROMPT, { activations: 'Q8' }).run
    for (const checkpoint of ['blk.1.attn_norm', 'blk.3.attn_kqv', 'blk.4.ffn_act', 'output_norm']) {
      for (const position of [1, 7, 11]) {
        const diagnosis = diagnose({
          candidate,
          reference,
          model,
          divergence: { checkpoint, position, tolerance: 1e-7 },
        })
        expect([diagnosis.origin, diagnosis.cause], `${checkpoint} ${position}`).toEqual(['inherited', undefined])
      }
    }
  })

  it.each([
    ['gelu-for-silu@3', 'blk.3.ffn_act'],
    ['attention-scale-missing@3', 'blk.3.attn_kqv'],
    ['rope-pairing@3.attn_k_rope', 'blk.3.attn_k_rope'],
  ])('is found within a layer of which only the output was recorded: %s', (mistake, place) => {
    const candidate = onlyWith(wrong(mistake), (name) =>
      /^(token_embd|blk\.\d+\.output|output_norm|logits)$/.test(name),
    )
    const divergence = { checkpoint: 'blk.3.output', position: 2 }
    const { origin, cause } = diagnose({ candidate, reference, model, divergence })
    expect([origin, cause?.mistake]).toEqual(['local', mistake.replace(/@.*/, '')])
    expect(cause!.message).toContain(place)
  })

  it.each([
    [
      'blk.2.ffn_down',
      'blk.3.ffn_down',
      'blk.2.ffn_down holds what the same op gave in another layer, as a buffer used for both; off by 1',
    ],
    [
      'blk.2.attn_norm',
      'blk.2.ffn_norm',
      'blk.2.attn_norm holds what another op of the layer gave, as a buffer used for both: ffn_norm',
    ],
  ])('is a record that shows another buffer: %s shows %s', (shown, instead, message) => {
    const checkpoints = new Map(reference.checkpoints).set(shown, reference.checkpoints.get(instead)!)
    const question = { candidate: { ...reference, checkpoints }, reference, model }
    const { origin, cause } = diagnose({ ...question, divergence: { checkpoint: shown, position: 0 } })
    expect([origin, cause?.message]).toEqual(['local', message])
  })

  it("is another request's row, where that request is known", () => {
    const planting = parsePlanting('rows-of-other-request@2.attn_v:decode', model)
    const candidate = recordOracle(model, PROMPT, { maxTokens: MAX_TOKENS, planting }).run
    const other = recordOracle(model, [...PROMPT.toReversed(), ...PROMPT.toReversed()]).run
    const divergence = { checkpoint: 'blk.2.attn_v', position: PROMPT.length }
    const question = { candidate, reference, model, divergence }
    expect(diagnose({ ...question, others: [other] }).cause?.mistake).toBe('rows-of-other-request')
    expect(diagnose(question).cause).toBeUndefined()
  })
})
