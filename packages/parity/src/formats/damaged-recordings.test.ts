import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { PlumblineError } from '@plumbline/protocol'
import { expect, it } from 'vitest'
import { damagedRecordings } from '../../test/helpers/damage.ts'
import { exampleRecordings } from '../../test/helpers/example-recordings.ts'
import { flatten, temporaryFolder } from '../../test/helpers/recordings.ts'
import { compare } from '../comparison/compare.ts'
import type { Place, Recording } from '../recording/recording.ts'
import { checkValues } from './check-values.ts'
import { openRecording } from './open-recording.ts'

const OF_EACH = 100
const SEED = 20260101
/** Ten times what a sound one of these takes, and more. */
const TOO_LONG_MS = 20_000

it('opens every example whole', async () => {
  const folder = temporaryFolder()
  for (const { name, path, format } of await exampleRecordings(folder)) {
    const recording = await openRecording(path)
    expect([name, recording.format, recording.faults, checkValues(recording)]).toEqual([name, format, [], []])
    expect(recording.runs.length).toBeGreaterThan(0)
    recording.close()
  }
})

it('neither crashes nor hangs on damage, and calls nothing sound that a checksum covers', async () => {
  const folder = temporaryFolder()
  const examples = await exampleRecordings(join(folder, 'sound'))
  const damagedFolder = join(folder, 'damaged')
  mkdirSync(damagedFolder)
  const sound = new Map<string, string>()
  for (const { name, path } of examples) {
    const recording = await openRecording(path)
    sound.set(name, contentOf(recording))
    recording.close()
  }
  const wrong: string[] = []
  let damaged = 0
  let seen = 0
  for (const { of, damage, path } of damagedRecordings(examples, {
    folder: damagedFolder,
    count: OF_EACH,
    seed: SEED,
  })) {
    damaged++
    const begun = performance.now()
    const said = await examine(path)
    if (performance.now() - begun > TOO_LONG_MS) wrong.push(`${of.name}: ${damage}: took too long`)
    if (said.unplaced !== undefined) wrong.push(`${of.name}: ${damage}: says not where: ${said.unplaced}`)
    if (said.crash !== undefined) wrong.push(`${of.name}: ${damage}: ${said.crash}`)
    if (said.faulty) seen++
    else if (of.checksummed && said.content !== sound.get(of.name)) wrong.push(`${of.name}: ${damage}: called sound`)
  }
  expect(wrong).toEqual([])
  expect(damaged).toBeGreaterThanOrEqual(1000)
  // What no checksum covers, and still reads: other digits, other values.
  expect(seen / damaged).toBeGreaterThan(0.6)
}, 300_000)

it('never passes a damaged recording for the sound one, unless nothing that counts has changed', async () => {
  const folder = temporaryFolder()
  const examples = await exampleRecordings(join(folder, 'sound'))
  const damagedFolder = join(folder, 'damaged')
  mkdirSync(damagedFolder)
  const wrong: string[] = []
  let compared = 0
  for (const { of, damage, path } of damagedRecordings(examples, {
    folder: damagedFolder,
    count: 80,
    seed: SEED + 1,
  })) {
    compared++
    const sound = await openRecording(of.path)
    try {
      const candidate = await openRecording(path)
      try {
        const { verdict } = compare(candidate, sound, { profile: 'bit-exact' })
        if (verdict.exitCode === 0 && contentOf(candidate) !== contentOf(sound)) {
          wrong.push(`${of.name}: ${damage}: ${verdict.line}`)
        }
      } finally {
        candidate.close()
      }
    } catch (error) {
      const known = error instanceof PlumblineError && /^(UNREADABLE|INVALID)_RECORDING$/.test(error.code)
      if (!known) wrong.push(`${of.name}: ${damage}: ${(error as Error).stack}`)
    } finally {
      sound.close()
    }
  }
  expect(wrong).toEqual([])
  expect(compared).toBeGreaterThanOrEqual(1000)
}, 300_000)

interface Said {
  readonly faulty: boolean
  readonly content?: string
  readonly crash?: string
  /** A message without its place. */
  readonly unplaced?: string
}

async function examine(path: string): Promise<Said> {
  let recording: Recording
  try {
    recording = await openRecording(path)
  } catch (error) {
    const known = error instanceof PlumblineError && /^(UNREADABLE|INVALID)_RECORDING$/.test(error.code)
    if (!known) return { faulty: true, crash: (error as Error).stack ?? String(error) }
    return { faulty: true, ...unplaced([{ ...error.fields, message: error.message }]) }
  }
  try {
    const faults = [...recording.faults, ...checkValues(recording)]
    return faults.length > 0 ? { faulty: true, ...unplaced(faults) } : { faulty: false, content: contentOf(recording) }
  } catch (error) {
    return { faulty: true, crash: (error as Error).stack ?? String(error) }
  } finally {
    recording.close()
  }
}

/** The first of them that does not say in which file, line and byte: bytes that are not known to be text have no lines. */
function unplaced(faults: readonly (Partial<Place> & { readonly message: string })[]): Pick<Said, 'unplaced'> {
  const found = faults.find(({ file, line, byteOffset, message }) => {
    if (/is not there$/.test(message)) return false
    const text =
      !/: is empty$|: is compressed with |: its first bytes, /.test(message) && /\.(json|jsonl|txt)$/.test(file ?? '')
    return file === undefined || !Number.isInteger(byteOffset) || (text && !Number.isInteger(line))
  })
  return found === undefined ? {} : { unplaced: JSON.stringify(found) }
}

/** What counts of a recording: what was run, and every value. Not what it ran on, nor when, nor how narrowly a token was chosen. */
function contentOf(recording: Recording): string {
  const runs = recording.runs.map(({ id, identity, greedy }) => {
    const { promptTokenIds, generatedTokenIds } = identity
    return { id, promptTokenIds, generatedTokenIds, greedy: greedy?.tokenIds }
  })
  return JSON.stringify([runs, flatten(recording)])
}
