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
import { openRecording } from '../../src/formats/open-recording.ts'
import { recordOracle } from '../../src/oracle/memory-oracle.ts'
import { memoryRecording } from '../../src/recording/memory-recording.ts'
import type { RecordedRun, Recording } from '../../src/recording/recording.ts'
import { roundedRun } from '../../src/verdict/rounded-run.ts'
import { alterRun } from './alter-run.ts'

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const worker = fromHere('../../../worker/bin/plumbline-worker.js')
export const haikuNano = {
  model: fromHere('../../../../models/haiku-nano/haiku-nano-q8_0.gguf'),
  transformers: fromHere('../../../../models/haiku-nano/reference'),
}

export interface Subject {
  readonly model: string
  /** Folder of safetensors with their JSON. */
  readonly transformers: string
  readonly llamaCpp?: string
}

/** How the worker is run: each way is an honest one. */
export interface WorkerRun {
  readonly precision: 'fast' | 'exact'
  readonly threads: number
  readonly level?: TracedLevel
  readonly maxTokens: number
}

/** Every honest pair that was compared, and those that raised an alarm. */
export class HonestPairs {
  readonly #tally = new Map<string, number>()
  readonly #closest = new Map<string, number>()
  readonly alarms: string[] = []
  readonly #folder = mkdtempSync(join(tmpdir(), 'plumbline-honest-'))
  #traces = 0

  get count(): number {
    return [...this.#tally.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Outcomes by kind of pair, e.g. "worker against Transformers: within-tolerance". */
  get tally(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#tally].sort())
  }

  /** By kind of pair, the largest share of its tolerance that a row took. */
  get closest(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#closest].map(([kind, share]) => [kind, Number(share.toPrecision(2))]).sort())
  }

  close(): void {
    rmSync(this.#folder, { recursive: true })
  }

  /** `whole`: whether both sides hold enough to be called equal. */
  add(kind: string, candidate: Recording, reference: Recording, whole = true, model?: ReferenceModel): void {
    const { verdict, greedy, checkpoints } = compare(candidate, reference, model === undefined ? {} : { model })
    const key = `${kind}: ${verdict.outcome}`
    this.#tally.set(key, (this.#tally.get(key) ?? 0) + 1)
    for (const { metrics, tolerance } of checkpoints) {
      for (const nmse of metrics.nmse) this.#closest.set(kind, Math.max(this.#closest.get(kind) ?? 0, nmse / tolerance))
    }
    const honest = ['same', 'within-tolerance', ...(whole ? [] : ['partial'])]
    const parted = greedy?.kind === 'bug' || greedy?.kind === 'drift'
    if (!honest.includes(verdict.outcome) || parted) {
      this.alarms.push(`${kind}: ${candidate.path} against ${reference.path}: ${verdict.line}`)
    }
  }

  /** The oracle against itself in chunks, in coarser arithmetic, and against Transformers. */
  async addOracle(subject: Subject, generated: number, chunks: readonly number[]): Promise<void> {
    const model = loadModel(readGguf(subject.model))
    for (const path of referencesOf(subject)) {
      const reference = await openRecording(path)
      const ids = reference.runs[0]!.identity.promptTokenIds!
      const whole = recordOracle(model, ids, { maxTokens: generated }).run
      const record = (run: RecordedRun) => memoryRecording([run])
      this.add('oracle against Transformers', record(whole), reference)
      for (const chunk of chunks) {
        const chunked = recordOracle(model, ids, { maxTokens: generated, chunk }).run
        this.add('oracle in chunks against the oracle', record(chunked), record(whole))
      }
      const half = alterRun(roundedRun(model, ids, roundToHalf), { identity: { activations: 'F16' } })
      const eighth = alterRun(recordOracle(model, ids, { activations: 'Q8' }).run, { identity: { activations: 'Q8' } })
      this.add('float32 rounding against the oracle', record(roundedRun(model, ids, Math.fround)), record(whole))
      this.add('float16 rounding against the oracle', record(half), record(whole))
      this.add('8-bit activations against the oracle', record(eighth), record(whole))
      this.add('8-bit activations against Transformers', record(eighth), reference)
      reference.close()
    }
  }

  /** The worker's traces against Transformers, llama.cpp, the oracle and each other. */
  async addWorker(subject: Subject, runs: readonly WorkerRun[], oracle = true): Promise<void> {
    const gguf = readGguf(subject.model)
    const model = loadModel(gguf)
    const llamaCpp = subject.llamaCpp === undefined ? undefined : await openRecording(subject.llamaCpp)
    const { eosIds } = loadTokenizer(gguf)
    for (const path of referencesOf(subject)) {
      const reference = await openRecording(path)
      const ids = reference.runs[0]!.identity.promptTokenIds!
      const traces: Recording[] = []
      for (const run of runs) traces.push(await this.#trace(subject.model, ids, run))
      const generated = Math.max(...runs.map(({ maxTokens }) => maxTokens))
      const truth = oracle
        ? memoryRecording([recordOracle(model, ids, { maxTokens: generated, eosIds }).run])
        : undefined
      for (const [index, trace] of traces.entries()) {
        this.add('worker against Transformers', trace, reference)
        if (llamaCpp !== undefined) this.add('worker against llama.cpp', trace, llamaCpp, false, model)
        if (truth !== undefined) this.add('worker against the oracle', trace, truth)
        for (const other of traces.slice(index + 1)) this.add('worker against itself, run another way', trace, other)
      }
      if (llamaCpp !== undefined) this.add('Transformers against llama.cpp', reference, llamaCpp, false)
      for (const recording of [...traces, reference]) recording.close()
    }
    llamaCpp?.close()
  }

  async #trace(model: string, ids: readonly number[], run: WorkerRun): Promise<Recording> {
    const out = join(this.#folder, `${this.#traces++}`)
    const { precision, threads, level = 'ops', maxTokens } = run
    const args = ['--model', model, '--prompt-token-ids', ids.join(','), '--level', level, '--out', out]
    const how = ['--precision', precision, '--threads', `${threads}`, '--max-tokens', `${maxTokens}`]
    await promisify(execFile)(process.execPath, [worker, 'trace', ...args, ...how])
    return openRecording(out)
  }
}

/** Every prompt's safetensors. */
function referencesOf({ transformers }: Subject): string[] {
  return readdirSync(transformers)
    .filter((name) => name.endsWith('.safetensors'))
    .sort()
    .map((name) => join(transformers, name))
}

/** Why the worker cannot be run here; undefined where it can. */
export function workerMissing(): string | undefined {
  if (!existsSync(fromHere('../../../worker/dist/cli.js'))) return 'the worker is not built'
  const { name } = JSON.parse(readFileSync(fromHere('../../../worker/package.json'), 'utf8'))
  return name === '@plumbline/worker' ? undefined : 'the worker is not there'
}
