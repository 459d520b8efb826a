import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TracedLevel } from '@plumbline/protocol'
import type { ReferenceModel } from '@plumbline/reference'
import { openRecording } from '../formats/open-recording.ts'
import type { Recording } from '../recording/recording.ts'
import { ServedWorker } from '../worker-runs/served-worker.ts'
import { traceWorker } from '../worker-runs/trace-worker.ts'
import type { WorkerCommand, WorkerSettings } from '../worker-runs/worker-command.ts'
import { asContinued, type Cell, judgeCell, type Way } from './cell.ts'

export interface MatrixOrder {
  readonly command: WorkerCommand
  readonly model: string
  /** The same, loaded: ops of fast ways are replayed with it. */
  readonly loaded: ReferenceModel
  readonly allowWeaker: boolean
  readonly device: string | undefined
  readonly promptTokenIds: readonly number[]
  readonly maxTokens: number
  readonly level: TracedLevel
  /** The base is the first thread count, exact, with the worker's own chunks. */
  readonly threads: readonly number[]
  readonly chunks: readonly number[]
  readonly precisions: readonly ('fast' | 'exact')[]
  /** Gets the traces. */
  readonly folder: string
  readonly timeoutMs: number
  readonly onCell: (done: number, of: number) => void
}

export interface Matrix {
  readonly base: Way
  readonly generated: number
  readonly cells: readonly Cell[]
}

const OWN_CHUNKS = "the worker's own chunks"

/** The same tokens through the worker in every way, each held against the first: exact, on one number of threads. */
export async function runMatrix(order: MatrixOrder): Promise<Matrix> {
  const { promptTokenIds, maxTokens, threads, chunks, precisions } = order
  const served = 4
  const total = precisions.length * (threads.length * (2 + chunks.length) + served)
  const base: Way = { precision: 'exact', threads: threads[0]!, how: OWN_CHUNKS }
  const baseTrace = await openRecording(await trace(order, base, promptTokenIds, maxTokens))
  const generated = baseTrace.runs[0]!.identity.generatedTokenIds ?? []
  const cells: Cell[] = []
  const judge = async (way: Way, path: string, tell = (recording: Recording) => recording) => {
    const recording = await openRecording(path)
    try {
      cells.push(judgeCell(way, tell(recording), baseTrace, { model: order.loaded, allowWeaker: order.allowWeaker }))
      order.onCell(cells.length, total)
    } finally {
      recording.close()
    }
  }
  try {
    for (const precision of precisions) {
      for (const count of threads) {
        const way = (how: string): Way => ({ precision, threads: count, how })
        if (!(precision === base.precision && count === base.threads)) {
          await judge(way(OWN_CHUNKS), await trace(order, way(OWN_CHUNKS), promptTokenIds, maxTokens))
        }
        for (const chunk of chunks) {
          const inChunks = way(`chunks of ${chunk}`)
          await judge(inChunks, await trace(order, inChunks, promptTokenIds, maxTokens, chunk))
        }
        const half = Math.ceil(generated.length / 2)
        if (half === 0) continue
        const split = way(`${half} decoded tokens as prompt`)
        const longer = [...promptTokenIds, ...generated.slice(0, half)]
        const path = await trace(order, split, longer, maxTokens - half)
        await judge(split, path, (recording) => asContinued(recording, baseTrace.runs[0]!))
      }
      for (const { way, path } of await serve(order, precision)) await judge(way, path)
    }
    return { base, generated: generated.length, cells }
  } finally {
    baseTrace.close()
  }
}

async function trace(
  order: MatrixOrder,
  { precision, threads, how }: Way,
  promptTokenIds: readonly number[],
  maxTokens: number,
  prefillChunk?: number,
): Promise<string> {
  const { command, model, device, level, folder, timeoutMs } = order
  const out = join(folder, `${precision}-${threads}-${how.replaceAll(/[^a-z0-9]+/g, '-')}`)
  const settings: WorkerSettings = { model, device, precision, threads }
  const prefill = prefillChunk === undefined ? {} : { prefillChunk }
  await traceWorker(command, { ...settings, promptTokenIds, maxTokens, level, out, timeoutMs, ...prefill })
  return out
}

/** The prompt served by one worker: first, again after another prompt, and among others at once. */
async function serve(order: MatrixOrder, precision: Way['precision']): Promise<{ way: Way; path: string }[]> {
  const { command, model, device, level, folder, timeoutMs, promptTokenIds } = order
  const threads = order.threads.at(-1)!
  const traces = join(folder, `${precision}-served`)
  mkdirSync(traces)
  const settings: WorkerSettings = { model, device, precision, threads }
  const worker = await ServedWorker.start(command, settings, traces, timeoutMs)
  const maxTokens = Math.max(1, order.maxTokens)
  const same = (jobId: string) => worker.trace({ jobId, promptTokenIds, maxTokens, level })
  const other = (jobId: string) =>
    worker.trace({ jobId, promptTokenIds: promptTokenIds.toReversed(), maxTokens, level: 'logits' })
  try {
    const first = await same('first')
    await other('between')
    const again = await same('again')
    const [, one, , two] = await Promise.all([other('before'), same('one'), other('amid'), same('two')])
    const way = (how: string): Way => ({ precision, threads, how })
    return [
      { way: way('served'), path: first },
      { way: way('served again, after another prompt'), path: again },
      { way: way('served among 4 at once'), path: one! },
      { way: way('served among 4 at once, the second'), path: two! },
    ]
  } finally {
    await worker.end()
  }
}
