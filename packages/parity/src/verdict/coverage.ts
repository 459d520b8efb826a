import type { Aligned, AlignedSide } from '../alignment/align.ts'
import { without } from '../alignment/row-cover.ts'
import { checkpointPlace } from '../comparison/checkpoint-name.ts'
import type { MeasuredCheckpoint } from '../metrics/compare-rows.ts'

/** How much of all that either side computed was compared, by values. */
export function coverageOf({ candidate, reference }: Aligned, measured: readonly MeasuredCheckpoint[]): number {
  let all = 0
  for (const name of new Set([...candidate.covers.keys(), ...reference.covers.keys()])) {
    const width = Math.max(widthOf(candidate, name), widthOf(reference, name))
    all += width * unionOf(candidate, reference, name)
  }
  const compared = measured.reduce((sum, { compared, positions }) => sum + compared * positions.length, 0)
  return all === 0 ? 0 : Math.min(1, compared / all)
}

function widthOf({ run }: AlignedSide, name: string): number {
  return run.checkpoints.get(name)?.width ?? 0
}

function unionOf(a: AlignedSide, b: AlignedSide, name: string): number {
  const ours = a.covers.get(name)?.stretches
  const theirs = b.covers.get(name)?.stretches
  let count = 0
  for (const { start, end } of ours ?? []) count += end - start
  for (const { start, end } of theirs === undefined ? [] : without(theirs, ours ?? [])) count += end - start
  return count
}

/**
 * Why what was compared is too little to call the sides equal; undefined where it is enough. Enough is the whole logits of the last
 * position of the prompt, and at each position that both sides hold anything of, either the whole logits or all values of every
 * layer's output: everything that comes before flows through those.
 */
export function tooLittle(aligned: Aligned, measured: readonly MeasuredCheckpoint[]): string | undefined {
  const logits = measured.find(({ name }) => name === 'logits')
  const outputs = measured.filter(({ op }) => op === 'output')
  const last = aligned.alignment.promptTokenIds.length - 1
  if (logits === undefined) return 'no logits were compared'
  const whole = logits.compared === logits.width
  const wholeLogits = new Set(whole ? logits.positions : wholeRows(aligned, logits))
  if (!wholeLogits.has(last)) {
    if (!logits.positions.includes(last)) return `the logits of the prompt's last position (${last}) were not compared`
    return `only ${thousands(logits.compared)} of ${logits.width === 0 ? 'an unknown number of' : thousands(logits.width)} logits were compared at position ${last}${percent(logits)}`
  }
  const layers = layerCount(aligned)
  const heldOutputs = new Map<number, number>()
  for (const { positions, compared, width } of outputs) {
    if (compared !== width) continue
    for (const position of positions) heldOutputs.set(position, (heldOutputs.get(position) ?? 0) + 1)
  }
  let first = Number.POSITIVE_INFINITY
  for (const { positions } of measured) {
    for (const position of positions) {
      if (position >= first || wholeLogits.has(position) || heldOutputs.get(position) === layers) continue
      first = position
    }
  }
  if (first === Number.POSITIVE_INFINITY) return undefined
  return `at position ${first} neither the whole logits nor all ${layers} layers' outputs were compared`
}

/** Positions whose whole logits both sides hold, where others hold only some of them. */
function wholeRows({ candidate, reference, common }: Aligned, { name, width }: MeasuredCheckpoint): number[] {
  const whole: number[] = []
  for (const { start, end, ...slabs } of common.find((rows) => rows.name === name)!.stretches) {
    const ours = candidate.run.checkpoints.get(name)!.slab(slabs.candidate).coverage
    const theirs = reference.run.checkpoints.get(name)!.slab(slabs.reference).coverage
    if (ours.kind !== 'all' || theirs.kind !== 'all' || ours.perRow !== width) continue
    for (let position = start; position < end; position++) whole.push(position)
  }
  return whole
}

export function layerCount({ candidate, reference }: Aligned): number {
  const stated = candidate.run.identity.layers ?? reference.run.identity.layers
  if (stated !== undefined) return stated
  const names = [...candidate.covers.keys(), ...reference.covers.keys()]
  return 1 + names.reduce((most, name) => Math.max(most, checkpointPlace(name)?.layer ?? -1), -1)
}

const thousands = (count: number) => count.toLocaleString('en-US')

function percent({ compared, width }: MeasuredCheckpoint): string {
  if (width === 0) return ''
  const share = (100 * compared) / width
  return ` (${share >= 1 ? share.toFixed(0) : share.toPrecision(1)} %)`
}
