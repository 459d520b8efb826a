import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadModel, nmse, readGguf, readSafetensors } from '@plumbline/reference'
import { evaluate } from '../src/testing.ts'

/** What Transformers in float64 made of one prompt. */
export interface Prompt {
  readonly name: string
  readonly ids: number[]
  readonly greedy: number[]
  readonly greedy_top1_top2_gap: number[]
  readonly tensors: ReturnType<typeof readSafetensors>
}

export function readPrompts(folder: string): Prompt[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({
      ...(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Prompt),
      name: file.replace('.json', ''),
      tensors: readSafetensors(join(folder, file.replace('.json', '.safetensors'))),
    }))
}

/** The ids of the longest one. */
export function longestPrompt(folder: string): number[] {
  return readPrompts(folder)
    .map(({ ids }) => ids)
    .reduce((a, b) => (b.length > a.length ? b : a))
}

/** [positions, width] */
interface Rows {
  readonly width: number
  readonly values: Float32Array
}

type How = Pick<Parameters<typeof evaluate>[0], 'precision' | 'variant'>

/** Every checkpoint of a forward pass over the whole prompt. */
function checkpointsOf(modelPath: string, ids: readonly number[], how: How): Map<string, Rows> {
  const { checkpoints } = evaluate({
    modelPath,
    tokenIds: Uint32Array.from(ids),
    threads: 2,
    checkpoints: true,
    ...how,
  })
  return new Map(checkpoints.map(({ name, width, values }) => [name, { width, values }]))
}

/** NMSE of everything that was recorded of the prompt, by name. */
export function errorsOf(modelPath: string, prompt: Prompt, how: How = { precision: 'exact' }): Map<string, number> {
  const ours = checkpointsOf(modelPath, prompt.ids, how)
  const { config } = loadModel(readGguf(modelPath))
  const errors = new Map<string, number>()
  for (const [name, { shape, values }] of prompt.tensors) {
    const truth = values as Float32Array
    if (name === 'logits_top_ids') continue
    if (name === 'logits_top_values') {
      errors.set(name, nmse(topLogits(ours.get('logits')!, prompt), truth))
      continue
    }
    const rows = ours.get(name === 'logits_last' ? 'logits' : name)
    if (rows === undefined) throw new Error(`${name} was recorded, but is no checkpoint of ours`)
    const recorded = rows.values.subarray(rows.values.length - shape.reduce((a, b) => a * b, 1))
    const pairs = config.ropePairing === 'neighbours' && /\.attn_[qk](_rope)?$/.test(name)
    errors.set(name, nmse(pairs ? pairsToHalves(recorded, config.keyLength) : recorded, truth))
  }
  return errors
}

/** Our logits at the ids that were the likeliest in the recording. */
function topLogits(logits: Rows, prompt: Prompt): Float32Array {
  const { shape, values } = prompt.tensors.get('logits_top_ids')!
  const count = shape[1]!
  return Float32Array.from({ length: values.length }, (_, i) => {
    const row = Math.floor(i / count)
    return logits.values[row * logits.width + Number(values[i])]!
  })
}

/** Architecture llama: GGUF has the values of a head in neighbour pairs (x0 y0 x1 y1 …), Transformers in halves. */
function pairsToHalves(values: Float32Array, headLength: number): Float32Array {
  const half = headLength / 2
  return values.map((_, index) => {
    const inHead = index % headLength
    const source = inHead < half ? 2 * inHead : 2 * (inHead - half) + 1
    return values[index - inHead + source]!
  })
}
