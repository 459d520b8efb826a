import { z } from 'zod'
import type { Checkpoint, RecordedRun, Recording } from '../recording/recording.ts'
import { parseJson } from './json-file.ts'
import { placeInJsonFile } from './json-place.ts'
import { FaultList, type RecordingFile } from './recording-file.ts'
import { greedyOfSidecar, identityOfSidecar, sidecarSchema } from './sidecar.ts'

const rows = (value: z.ZodType<number>) => z.array(z.array(value).min(1)).optional()

const schema = sidecarSchema.extend({
  records: z
    .array(
      sidecarSchema.extend({
        name: z.string(),
        ids: z.array(z.int().min(0)).min(1),
        /** The largest logits of each position of the prompt, and their token ids. */
        prefill_top10_ids: rows(z.int().min(0)),
        prefill_top10_logits: rows(z.number()),
      }),
    )
    .min(1),
})

/** llama.cpp's continuations and largest logits, as `reference-logs/recorders` write them: a run a prompt. */
export function openLlamaCppJson(file: RecordingFile): Recording {
  const faults = new FaultList()
  const { records, ...common } = parseJson(file, schema)
  const names = new Set<string>()
  const runs = records.map((record, index): RecordedRun => {
    const { name, ids, prefill_top10_ids: topIds, prefill_top10_logits: topLogits } = record
    const bad = (kind: 'wrong-count' | 'duplicate', message: string) =>
      faults.add(kind, placeInJsonFile(file.path, ['records', index]), `${name}: ${message}`)
    if (names.has(name)) bad('duplicate', 'there are two records of this name')
    names.add(name)
    const perRow = topIds?.[0]?.length ?? 0
    const whole = (of: readonly (readonly unknown[])[] | undefined) =>
      of?.length === ids.length && of.every((row) => row.length === perRow)
    if (!whole(topIds) || !whole(topLogits)) {
      if (topIds || topLogits) bad('wrong-count', `must have ${perRow} ids and logits for each of ${ids.length} tokens`)
    }
    if (record.greedy_top1_top2_gap && record.greedy_top1_top2_gap.length !== record.greedy?.length) {
      bad('wrong-count', `has ${record.greedy_top1_top2_gap.length} gaps for ${record.greedy?.length ?? 0} tokens`)
    }
    const sound = whole(topIds) && whole(topLogits)
    const greedy = greedyOfSidecar(record)
    return {
      id: name,
      identity: { ...identityOfSidecar({ ...common, ...record }), ropeOrder: 'gguf' },
      checkpoints: new Map(sound ? [['logits', topOf(file.path, topIds!, topLogits!)]] : []),
      ...(greedy && { greedy }),
    }
  })
  // All of it is in memory.
  file.close()
  return { path: file.path, format: 'llama-cpp-json', runs, faults: faults.list(), close: () => {} }
}

function topOf(file: string, ids: number[][], logits: number[][]): Checkpoint {
  const perRow = ids[0]!.length
  const values = Float32Array.from(logits.flat())
  return {
    name: 'logits',
    width: 0,
    slabCount: 1,
    slab: () => ({
      phase: 'prefill',
      pos: 0,
      count: ids.length,
      dtype: 'F32',
      coverage: { kind: 'columns', perRow, columns: (row) => ids[row]! },
      order: 0,
      place: { file },
      read: (first = 0, count = ids.length - first) => values.subarray(first * perRow, (first + count) * perRow),
    }),
  }
}
