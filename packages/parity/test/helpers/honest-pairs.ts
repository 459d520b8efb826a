import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { TracedLevel } from '@plumbline/protocol'
import { loadModel, loadTokenizer, type ReferenceModel, readGguf } from '@plumbline/reference'
import { roundToHalf } from '../../src/arithmetic/narrow-floats.ts'
import { compare } from '../../src/comparison/compare.ts'
import type { Outcome, ProfileName } from '../../src/comparison/comparison.ts'
import { openRecording } from '../../src/formats/open-recording.ts'
import { recordOracle } from '../../src/oracle/memory-oracle.ts'
import { memoryRecording } from '../../src/recording/memory-recording.ts'
import type { RecordedRun, Recording } from '../../src/recording/recording.ts'
import { roundedRun } from '../../src/verdict/rounded-run.ts'
import { alterRun } from './alter-run.ts'

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const worker = fromHere('../../../worker/bin/plumbline-worker.js')
export interface Subject {
  readonly name: string
  readonly model: string
  /** Folder of safetensors with their JSON. */
  readonly transformers: string
  readonly llamaCpp?: string
}

/** How the worker is run: each way is an honest one. */
export interface WorkerRun {
  readonly precision: 'fast' | 'exact'
  readonly threads: number
  readonly prefillChunk?: number
  readonly level?: TracedLevel
  readonly maxTokens: number
}

export interface HonestPair {
  readonly model: string
  /** E.g. "worker, fast, against Transformers". */
  readonly kind: string
  readonly prompt: string
  /** How each side was run, where there is more than one way. */
  readonly how: string
  readonly profile: ProfileName
  readonly outcome: Outcome
  /** The largest share of its tolerance that a row took. */
  readonly share: number
  /** What is wrong with the verdict; undefined where nothing is. */
  readonly alarm?: string
}

interface Sides {
  readonly candidate: Recording
  readonly reference: Recording
  /** Whether both hold enough to be called equal. */
  readonly whole?: boolean
  readonly loaded?: ReferenceModel
}

/** Every honest pair that was compared. */
export class HonestPairs {
  readonly pairs: HonestPair[] = []
  readonly #folder = mkdtempSync(join(tmpdir(), 'plumbline-honest-'))
  #traces = 0

  /** What only `--allow-weaker` would call the same: too coarse to tell, which no alarm is. */
  get notShown(): readonly HonestPair[] {
    return this.pairs.filter(({ outcome }) => outcome === 'not-shown')
  }

  get alarms(): string[] {
    return this.pairs.flatMap(({ model, kind, prompt, how, alarm }) =>
      alarm === undefined ? [] : [`${model}, ${prompt}, ${kind} (${how}): ${alarm}`],
    )
  }

  close(): void {
    rmSync(this.#folder, { recursive: true })
  }

  add(
    pair: Pick<HonestPair, 'model' | 'kind' | 'prompt' | 'how'>,
    { candidate, reference, whole = true, loaded }: Sides,
  ): void {
    const options = loaded === undefined ? {} : { model: loaded }
    const { verdict, profile, greedy, checkpoints } = compare(candidate, reference, options)
    const { outcome, line } = verdict
    let share = 0
    for (const { metrics, tolerance } of checkpoints) {
      for (const nmse of metrics.nmse) share = Math.max(share, nmse / tolerance)
    }
    const honest = ['same', 'within-tolerance', 'not-shown', ...(whole ? [] : ['partial'])]
    const parted = greedy?.kind === 'bug' || greedy?.kind === 'drift'
    const alarm = !honest.includes(outcome) || parted ? { alarm: line } : {}
    this.pairs.push({ ...pair, profile, outcome, share, ...alarm })
  }

  /** The oracle against itself in chunks, in coarser arithmetic, and against Transformers. */
  async addOracle(subject: Subject, generated: number, chunks: readonly number[]): Promise<void> {
    const model = loadModel(readGguf(subject.model))
    for (const { prompt, path } of referencesOf(subject)) {
      const transformers = await openRecording(path)
      const ids = transformers.runs[0]!.identity.promptTokenIds!
      const record = (run: RecordedRun) => memoryRecording([run])
      const oracle = record(recordOracle(model, ids, { maxTokens: generated }).run)
      const add = (kind: string, candidate: Recording, reference: Recording, how = '', loaded?: ReferenceModel) =>
        this.add({ model: subject.name, kind, prompt, how }, { candidate, reference, ...(loaded && { loaded }) })
      add('oracle against Transformers', oracle, transformers)
      for (const chunk of chunks) {
        const chunked = record(recordOracle(model, ids, { maxTokens: generated, chunk }).run)
        add('oracle in chunks against the oracle', chunked, oracle, `chunks of ${chunk}`)
      }
      const half = alterRun(roundedRun(model, ids, roundToHalf), { identity: { activations: 'F16' } })
      const eighth = alterRun(recordOracle(model, ids, { activations: 'Q8' }).run, { identity: { activations: 'Q8' } })
      add('float32 rounding against the oracle', record(roundedRun(model, ids, Math.fround)), oracle)
      add('float16 rounding against the oracle', record(half), oracle, 'replayed', model)
      add('8-bit activations against the oracle', record(eighth), oracle, 'replayed', model)
      add('8-bit activations against Transformers', record(eighth), transformers)
      transformers.close()
    }
  }

  /** The worker's traces against Transformers, llama.cpp, the oracle and each other. */
  async addWorker(subject: Subject, runs: readonly WorkerRun[]): Promise<void> {
    const { name, llamaCpp: llamaCppPath } = subject
    const gguf = readGguf(subject.model)
    const loaded = loadModel(gguf)
    const llamaCpp = llamaCppPath === undefined ? undefined : await openRecording(llamaCppPath)
    const { eosIds } = loadTokenizer(gguf)
    for (const { prompt, path } of referencesOf(subject)) {
      const transformers = await openRecording(path)
      const ids = transformers.runs[0]!.identity.promptTokenIds!
      const maxTokens = Math.max(...runs.map((run) => run.maxTokens))
      const oracle = memoryRecording([recordOracle(loaded, ids, { maxTokens, eosIds }).run])
      const traces: { run: WorkerRun; candidate: Recording }[] = []
      for (const run of runs) traces.push({ run, candidate: await this.#trace(subject.model, ids, run) })
      const add = (kind: string, how: string, sides: Sides) => this.add({ model: name, kind, prompt, how }, sides)
      for (const [index, { run, candidate }] of traces.entries()) {
        const who = `worker, ${run.precision},`
        const how = wayOf(run)
        add(`${who} against Transformers`, how, { candidate, reference: transformers, loaded })
        if (llamaCpp !== undefined) {
          add(`${who} against llama.cpp`, how, { candidate, reference: llamaCpp, whole: false, loaded })
        }
        add(`${who} against the oracle`, how, { candidate, reference: oracle, loaded })
        for (const other of traces.slice(index + 1)) {
          const precisions = [...new Set([run.precision, other.run.precision])].sort().join(' and ')
          const ways = `${how} | ${wayOf(other.run)}`
          add(`worker against itself, ${precisions}`, ways, { candidate, reference: other.candidate })
        }
      }
      if (llamaCpp !== undefined) {
        add('Transformers against llama.cpp', '', { candidate: transformers, reference: llamaCpp, whole: false })
      }
      for (const recording of [...traces.map(({ candidate }) => candidate), transformers]) recording.close()
    }
    llamaCpp?.close()
  }

  async #trace(model: string, ids: readonly number[], run: WorkerRun): Promise<Recording> {
    const out = join(this.#folder, `${this.#traces++}`)
    const { precision, threads, prefillChunk, level = 'ops', maxTokens } = run
    const args = ['--model', model, '--prompt-token-ids', ids.join(','), '--level', level, '--out', out]
    const how = ['--precision', precision, '--threads', `${threads}`, '--max-tokens', `${maxTokens}`]
    const chunk = prefillChunk === undefined ? [] : ['--prefill-chunk', `${prefillChunk}`]
    await promisify(execFile)(process.execPath, [worker, 'trace', ...args, ...how, ...chunk])
    return openRecording(out)
  }
}

function wayOf({ precision, threads, prefillChunk, level = 'ops', maxTokens }: WorkerRun): string {
  const chunks = prefillChunk === undefined ? '' : `, chunks of ${prefillChunk}`
  return `${precision}, threads ${threads}${chunks}, ${level}, ${maxTokens} tokens`
}

/** Every prompt's safetensors. */
function referencesOf({ transformers }: Subject): { prompt: string; path: string }[] {
  return readdirSync(transformers)
    .filter((name) => name.endsWith('.safetensors'))
    .sort()
    .map((name) => ({ prompt: name.replace('.safetensors', ''), path: join(transformers, name) }))
}

/** Why the worker cannot be run here; undefined where it can. */
export function workerMissing(): string | undefined {
  if (!existsSync(fromHere('../../../worker/dist/cli.js'))) return 'the worker is not built'
  const { name } = JSON.parse(readFileSync(fromHere('../../../worker/package.json'), 'utf8'))
  return name === '@plumbline/worker' ? undefined : 'the worker is not there'
}
