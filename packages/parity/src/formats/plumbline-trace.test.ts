import { createHash } from 'node:crypto'
import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { manifestText } from '@plumbline/protocol'
import { expect, it } from 'vitest'
import { exampleMemory, writeExampleTrace } from '../../test/helpers/example-recordings.ts'
import { flatten, temporaryFolder } from '../../test/helpers/recordings.ts'
import { compare } from '../comparison/compare.ts'
import { checkValues } from './check-values.ts'
import { openRecording } from './open-recording.ts'

interface Change {
  /** Of trace.jsonl. */
  lines?: (lines: string[]) => void
  manifest?: (manifest: Record<string, unknown>) => void
  /** Makes the manifest's hashes right again, so that only what the records say is wrong. */
  seal?: boolean
  /** As if its writer had written the manifest so. */
  sealManifest?: boolean
}

/** The faults of an example trace after a change, those of reading every value among them. */
async function faultsAfter(folder: string, { lines, manifest, seal, sealManifest = true }: Change): Promise<string[]> {
  writeExampleTrace(folder, exampleMemory())
  const [recordsPath, manifestPath] = [join(folder, 'trace.jsonl'), join(folder, 'manifest.json')]
  const text = readFileSync(recordsPath, 'utf8').split('\n')
  lines?.(text)
  writeFileSync(recordsPath, text.join('\n'))
  const told = JSON.parse(readFileSync(manifestPath, 'utf8'))
  if (seal) told.closed.trace_sha256 = createHash('sha256').update(text.join('\n')).digest('hex')
  manifest?.(told)
  writeFileSync(manifestPath, sealManifest ? manifestText(told) : JSON.stringify(told))
  return faultsOf(folder)
}

async function faultsOf(folder: string): Promise<string[]> {
  const recording = await openRecording(folder)
  const faults = [...recording.faults, ...checkValues(recording)]
  recording.close()
  return faults.map(({ kind, line }) => (line === undefined ? kind : `${kind} in line ${line}`))
}

it('reads what was written, and who ran what', async () => {
  const folder = temporaryFolder()
  writeExampleTrace(folder, exampleMemory())
  const recording = await openRecording(folder)
  expect(recording.faults).toEqual([])
  expect(recording.runs).toHaveLength(1)
  expect(recording.runs[0]).toMatchObject({
    id: 'run',
    identity: { engine: 'plumbline', architecture: 'llama', layers: 1, promptTokenIds: [1, 7, 3], embeddingLength: 8 },
    greedy: { tokenIds: [5, 2] },
  })
  expect(flatten(recording)).toEqual(flatten(exampleMemory()))
  expect(recording.runs[0]!.checkpoints.get('logits')!.slab(1).place).toMatchObject({ line: 36 })
  recording.close()
})

const record = (change: (record: Record<string, unknown>) => void, at = 4) => ({
  seal: true,
  lines: (lines: string[]) => {
    const changed = JSON.parse(lines[at]!)
    change(changed)
    lines[at] = JSON.stringify(changed)
  },
})

it.each<[string, Change, string[]]>([
  ['a trace that was never closed', { manifest: (manifest) => delete manifest.closed }, ['truncated in line 1']],
  [
    'one that stopped early',
    { manifest: (manifest) => Object.assign(manifest, { stopped: 'disk full' }) },
    ['truncated in line 1'],
  ],
  [
    'a line that is missing',
    { lines: (lines) => lines.splice(4, 1), seal: true },
    ['malformed in line 5', 'wrong-count in line 54'],
  ],
  [
    'a line twice',
    { lines: (lines) => lines.splice(4, 0, lines[4]!), seal: true },
    ['duplicate in line 6', 'wrong-count in line 56'],
  ],
  [
    'two lines swapped',
    { lines: (lines) => lines.splice(4, 2, lines[5]!, lines[4]!), seal: true },
    ['malformed in line 5', 'duplicate in line 6'],
  ],
  [
    'a line that is no JSON',
    { lines: (lines) => lines.splice(4, 1, '{"v":1,'), seal: true },
    ['malformed in line 5', 'malformed in line 6', 'wrong-count in line 55'],
  ],
  [
    'a changed byte',
    { lines: (lines) => lines.splice(4, 1, lines[4]!.replace('"max":', '"max" :')) },
    ['checksum in line 1'],
  ],
  [
    'statistics that lie',
    record((changed) => Object.assign(changed.stats as object, { max: 9 })),
    ['statistics in line 5'],
  ],
  [
    'first values that lie',
    record((changed) => (changed.values as number[]).splice(2, 1, 7)),
    ['statistics in line 5'],
  ],
  ['a position that lies', record((changed) => Object.assign(changed, { pos: 1 })), ['duplicate in line 23']],
  ['a count that lies', record((changed) => Object.assign(changed, { n: 2 })), ['wrong-count in line 5']],
  ['another layer', record((changed) => Object.assign(changed, { layer: 3 })), ['malformed in line 5']],
  ['another run', record((changed) => Object.assign(changed, { run: 'other' })), ['malformed in line 5']],
  [
    'an unknown member',
    record((changed) => Object.assign(changed, { extra: 1 })),
    ['malformed in line 5', 'malformed in line 6', 'wrong-count in line 55'],
  ],
])('sees %s', async (_, change, faults) => {
  const folder = temporaryFolder()
  expect(await faultsAfter(folder, change)).toEqual(faults)
})

it('a manifest that was changed by hand since its trace was closed is found out', async () => {
  for (const manifest of [
    (told: Record<string, unknown>) => Object.assign(told, { precision: 'fast' }),
    (told: Record<string, unknown>) => Object.assign(told.closed as object, { generated_token_ids: [5, 3] }),
  ]) {
    expect(await faultsAfter(temporaryFolder(), { manifest, sealManifest: false })).toEqual(['checksum in line 1'])
  }
})

it('a trace of before manifests had a hash of themselves is read, and its manifest is unverified', async () => {
  const [folder, other] = [temporaryFolder(), temporaryFolder()]
  writeExampleTrace(other, exampleMemory())
  const manifest = (told: Record<string, unknown>) => delete (told.closed as Record<string, unknown>).manifest_sha256
  expect(await faultsAfter(folder, { manifest, sealManifest: false })).toEqual([])
  const [old, sealed] = [await openRecording(folder), await openRecording(other)]
  const told = "the candidate's manifest.json: it states no sha256 of itself"
  expect(compare(old, sealed).alignment.unverified).toContain(told)
  expect(compare(sealed, sealed).alignment.unverified.join()).not.toContain('manifest')
  old.close()
  sealed.close()
})

it('sees that tensors were cut, and that there are more than the records tell of', async () => {
  const folder = temporaryFolder()
  writeExampleTrace(folder, exampleMemory())
  const tensors = join(folder, 'tensors.bin')
  const size = readFileSync(tensors).length
  appendFileSync(tensors, 'x')
  expect(await faultsOf(folder)).toEqual(['wrong-count', 'checksum'])
  truncateSync(tensors, size - 1)
  expect(await faultsOf(folder)).toEqual(['truncated in line 54', 'checksum'])
})

it('a trace whose record states a maximum of 1e9 that none of its values has is not let through by compare', async () => {
  const [folder, other] = [temporaryFolder(), temporaryFolder()]
  writeExampleTrace(other, exampleMemory())
  const lying = record((changed) => Object.assign(changed, { stats: { ...(changed.stats as object), max: 1e9 } }), 30)
  await faultsAfter(folder, lying)
  const [sound, wrong] = [await openRecording(other), await openRecording(folder)]
  expect(wrong.faults).toEqual([])
  for (const { verdict } of [compare(wrong, sound), compare(sound, wrong)]) {
    expect(verdict.exitCode).toBe(4)
    expect(verdict.line).toMatch(/values and their statistics do not match .* the record says 1000000000/)
  }
  sound.close()
  wrong.close()
})

it('finds non-finite values where they stand', async () => {
  const folder = temporaryFolder()
  const memory = exampleMemory()
  memory.runs[0]!.checkpoints.get('blk.0.attn_q')!.slab(0).read()[9] = Number.NaN
  writeExampleTrace(folder, memory)
  const recording = await openRecording(folder)
  expect(recording.faults).toEqual([])
  expect(checkValues(recording)).toMatchObject([
    { kind: 'non-finite', message: 'blk.0.attn_q has 1 non-finite values, from position 1 on', line: 3 },
  ])
  recording.close()
})
