import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ReferenceModel } from '../src/model/load-model.ts'
import { nmse } from '../src/nmse.ts'
import { readSafetensors } from '../src/safetensors/read-safetensors.ts'

export interface TransformersPrompt {
  name: string
  ids: number[]
  prompt: string
  greedy: number[]
  greedy_top1_top2_gap: number[]
  tensors: ReturnType<typeof readSafetensors>
}

/** What Transformers in float64 made of each prompt: the `.json` and `.safetensors` pairs of a folder. */
export function transformersPrompts(folder: string): TransformersPrompt[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({
      ...(JSON.parse(readFileSync(join(folder, file), 'utf8')) as TransformersPrompt),
      name: file.replace('.json', ''),
      tensors: readSafetensors(join(folder, file.replace('.json', '.safetensors'))),
    }))
}

/** NMSE of each recorded checkpoint that the forward pass has too, by name. */
export function checkpointErrors(model: ReferenceModel, prompt: TransformersPrompt): Map<string, number> {
  const errors = new Map<string, number>()
  model.forward(prompt.ids, {
    checkpoint: (name, _layer, positions, width, values) => {
      const expected = prompt.tensors.get(name)
      if (expected === undefined) return
      const truth = expected.values as Float32Array
      const rows = expected.shape.length === 1 ? 1 : expected.shape[0]!
      // SmolLM2 has the logits of the last position alone.
      const ours = toTransformersOrder(name, model, values, width).subarray((positions.count - rows) * width)
      errors.set(name, nmse(ours, truth))
    },
  })
  return errors
}

/**
 * For architecture llama the GGUF has the rows of q and k in neighbour pairs (x0 y0 x1 y1 …), Transformers in halves
 * (x0 x1 … y0 y1 …): reorders each head of ours to theirs.
 */
function toTransformersOrder(name: string, model: ReferenceModel, values: Float64Array, width: number): Float64Array {
  if (model.config.ropePairing !== 'neighbours' || !/\.attn_[qk](_rope)?$/.test(name)) return values
  const { keyLength } = model.config
  if (width % keyLength !== 0) throw new Error(`${name} has width ${width}, heads of ${keyLength}`)
  const half = keyLength / 2
  return values.map((_, index) => {
    const inHead = index % keyLength
    const source = inHead < half ? 2 * inHead : 2 * (inHead - half) + 1
    return values[index - inHead + source]!
  })
}

/** Greedy continuation of the prompt, and the gap between the first and second logit at each step. */
export function continueGreedily(model: ReferenceModel, ids: readonly number[], count: number) {
  const session = model.newSession()
  let logits = session.append(ids).at(-1)!
  const tokens: number[] = []
  const gaps: number[] = []
  for (let i = 0; i < count; i++) {
    let best = 0
    let second = -1
    for (let id = 1; id < logits.length; id++) {
      if (logits[id]! > logits[best]!) {
        second = best
        best = id
      } else if (second < 0 || logits[id]! > logits[second]!) second = id
    }
    tokens.push(best)
    gaps.push(logits[best]! - logits[second]!)
    if (i + 1 < count) logits = session.append([best])[0]!
  }
  return { tokens, gaps }
}
