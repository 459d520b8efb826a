import { checkpointNames, EXIT } from '@plumbline/protocol'
import { type ComparedCheckpoint, type Comparison, METRIC_NAMES, type Op } from '../../src/comparison/comparison.ts'
import { MemoryRun, memoryRecording } from '../../src/recording/memory-recording.ts'
import type { Recording } from '../../src/recording/recording.ts'

export interface Planted {
  readonly comparison: Comparison
  readonly candidate: Recording
  readonly reference: Recording
}

/**
 * A comparison of that size whose errors are made up: from `blk.<wrongLayer>.attn_q_rope` on, and from position 1 on, they are a
 * thousand times those of the ladder. For what depends on size and names alone; what depends on the figures is tested on real ones.
 */
export function plantedComparison({
  layers,
  positions,
  width = 64,
  vocabulary = 512,
  text = 'a',
}: {
  layers: number
  positions: number
  width?: number
  vocabulary?: number
  text?: string
}): Planted {
  const wrongLayer = layers >> 1
  const names = checkpointNames(layers)
  const from = names.indexOf(`blk.${wrongLayer}.attn_q_rope`)
  const promptTokenIds = Array.from({ length: positions }, (_, position) => (position * 7) % vocabulary)
  const identity = { engine: text, modelName: text, architecture: 'llama', layers, promptTokenIds }
  const candidate = new MemoryRun('candidate', identity)
  const reference = new MemoryRun('reference', { ...identity, engineVersion: text })
  const checkpoints = names.map((name, index): ComparedCheckpoint => {
    const columns = name === 'logits' ? vocabulary : width
    const truth = Float32Array.from({ length: columns * positions }, (_, i) => Math.sin(i * 0.37 + index))
    const wrong = truth.map((value, i) =>
      index >= from && i >= columns ? value + 0.1 * Math.cos(i) : value * (1 + 1e-6),
    )
    reference.add(name, { pos: 0 }, columns, truth)
    candidate.add(name, { pos: 0 }, columns, wrong)
    const nmse = Float64Array.from({ length: positions }, (_, position) =>
      index >= from && position > 0 ? 1e-2 * (1 + Math.sin(position) / 2) : 1e-12,
    )
    const [, layer, op] = /^blk\.(\d+)\.(\w+)$/.exec(name) ?? []
    return {
      name,
      layer: layer === undefined ? null : Number(layer),
      op: (op ?? name) as Op,
      width: columns,
      compared: columns,
      positions: Uint32Array.from({ length: positions }, (_, position) => position),
      metrics: Object.fromEntries(METRIC_NAMES.map((metric) => [metric, nmse])) as ComparedCheckpoint['metrics'],
      ...(name === 'logits' && {
        logits: { kl: nmse, top1: nmse.map(() => 1), top5: nmse.map(() => 1), rank: nmse.map(() => 0) },
      }),
      tolerance: 1e-9,
      exceeding: index < from ? new Uint32Array() : Uint32Array.from({ length: positions - 1 }, (_, i) => i + 1),
    }
  })
  const side = { path: text, format: 'memory', faults: [], unfit: [] } as const
  const divergence = names[from]!
  return {
    comparison: {
      verdict: {
        outcome: 'diverged',
        exitCode: EXIT.judgedFailed,
        line: `diverged first at layer ${wrongLayer}, attn_q_rope, position 1: ${text}`,
      },
      profile: 'float32',
      profileReason: 'both sides state F32',
      candidate: { ...side, run: 'candidate', identity: candidate.identity },
      reference: { ...side, run: 'reference', identity: reference.identity },
      alignment: {
        refusals: [],
        unverified: [text],
        mappings: [text],
        promptTokenIds,
        onlyCandidate: [text],
        onlyReference: [text],
      },
      unchecked: [text],
      checkpoints,
      coverage: 1,
      divergence: {
        checkpoint: divergence,
        layer: wrongLayer,
        op: 'attn_q_rope',
        position: 1,
        phase: 'prefill',
        metrics: Object.fromEntries(METRIC_NAMES.map((metric) => [metric, 1e-2])) as Record<
          (typeof METRIC_NAMES)[number],
          number
        >,
        tolerance: 1e-9,
        origin: 'local',
        cause: {
          mistake: 'rope-pairing',
          message: `RoPE turns halves instead of neighbours ${text}`,
          residual: 1e-14,
          confidence: 'certain',
          alternatives: [text],
        },
      },
    },
    candidate: memoryRecording([candidate]),
    reference: memoryRecording([reference]),
  }
}
