import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { PlumblineError } from '@plumbline/protocol'
import { openRecording } from '../formats/open-recording.ts'
import type { RecordedRun, Recording } from '../recording/recording.ts'
import { type ReferenceLog, readReferenceLogs, verifyFiles } from './manifest.ts'

/** One recorded prompt that a worker can be held against. */
export interface Reference {
  /** For people: where it is, below the folder that was looked through, and which run of it. */
  readonly name: string
  readonly recording: Recording
  readonly run: RecordedRun
  readonly promptTokenIds: readonly number[]
  /** In a manifest of reference logs, whose hashes its files have. */
  readonly listed: boolean
  /** What reference-logs' manifest allows. */
  readonly tolerance?: ReferenceLog['tolerance']
}

export interface FoundReferences {
  readonly references: readonly Reference[]
  /** What was seen and not taken, and why. */
  readonly passedOver: readonly string[]
  close(): void
}

const DEEPEST = 6

/**
 * The references of one model below a folder: by the sha256 of the model file that they state, or, where they state none, by its
 * name. Where a folder has a manifest of reference logs, they are those that it lists, each with the hash that it must have.
 */
export async function findReferences(folder: string, model: string, modelSha256: string): Promise<FoundReferences> {
  const found: Reference[] = []
  const passedOver: string[] = []
  const opened: Recording[] = []
  const close = () => {
    for (const recording of opened) recording.close()
  }
  const ofModel = ({ modelSha256: sha256, modelName }: RecordedRun['identity']) =>
    sha256 === undefined
      ? modelName !== undefined && basename(modelName, '.gguf') === basename(model, '.gguf')
      : sha256 === modelSha256

  const take = async (path: string, log?: ReferenceLog) => {
    const name = relative(folder, path) || basename(path)
    const recording = await openRecording(path)
    opened.push(recording)
    for (const run of recording.runs) {
      const { promptTokenIds } = run.identity
      const what = recording.runs.length === 1 ? name : `${name}#${run.id}`
      if (!ofModel(run.identity)) passedOver.push(`${what}: of another model, or of none that is stated`)
      else if (promptTokenIds === undefined) passedOver.push(`${what}: states no prompt ids`)
      else
        found.push({
          name: what,
          recording,
          run,
          promptTokenIds,
          listed: log !== undefined,
          ...(log && { tolerance: log.tolerance }),
        })
    }
  }
  const takeListed = async (manifest: string, log: ReferenceLog) => {
    await verifyFiles(manifest, log)
    if (log.model.sha256 !== modelSha256) return
    const before = found.length
    await take(join(dirname(manifest), log.recording), log)
    const ids = found.slice(before).map(({ promptTokenIds }) => promptTokenIds)
    if (JSON.stringify(ids) === JSON.stringify(log.prompt_token_ids)) return
    const message = `${manifest}: ${log.recording} holds other prompts of this model than the manifest says`
    throw new PlumblineError('INVALID_RECORDING', message, { path: log.recording })
  }
  const look = async (path: string, depth: number): Promise<void> => {
    const stats = statSync(path, { throwIfNoEntry: false })
    if (!stats?.isDirectory()) return takeKnown(path)
    const names = readdirSync(path).sort()
    if (names.includes('manifest.json')) {
      const manifest = join(path, 'manifest.json')
      const logs = readReferenceLogs(manifest)
      if (logs === undefined) return take(path)
      for (const log of logs.recordings) await takeListed(manifest, log)
      return
    }
    const all = new Set(names)
    for (const name of names) {
      if (name.startsWith('.') || depth === DEEPEST) continue
      // It belongs to the tensors beside it.
      if (all.has(name.replace(/\.json$/, '.safetensors')) && name.endsWith('.json')) continue
      await look(join(path, name), depth + 1)
    }
  }
  const takeKnown = async (path: string) => {
    try {
      await take(path)
    } catch (error) {
      // Readmes and models are no recordings; what is a damaged one is not passed over.
      if (!(error instanceof PlumblineError) || error.code !== 'UNREADABLE_RECORDING') throw error
      passedOver.push(`${relative(folder, path)}: ${error.message}`)
    }
  }
  try {
    if (statSync(folder, { throwIfNoEntry: false }) === undefined) {
      throw new PlumblineError(
        'INVALID_OPTION',
        `--reference is '${folder}', must be a folder of recorded references`,
        {
          option: '--reference',
        },
      )
    }
    await look(folder, 0)
  } catch (error) {
    close()
    throw error
  }
  return { references: found, passedOver, close }
}
