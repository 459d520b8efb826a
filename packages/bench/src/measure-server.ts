import { setTimeout as sleep } from 'node:timers/promises'
import { getStatus, postAndRecord } from './http-client.ts'
import { cpuSeconds, proportionalBytes } from './process-usage.ts'
import { freePort, ServerProcess } from './server-process.ts'
import type { ServerKind } from './servers.ts'
import { median, quantile } from './statistics.ts'
import { type StreamTiming, timeStream } from './stream-timing.ts'

const PROMPT_TOKENS = 16
/** What runs on behind a stream's end, or spins for a while, is the stream's. */
const AFTERMATH_MS = 50
const BETWEEN_PROBES_MS = 2

export interface ServerPlan {
  readonly model: string
  readonly threads: number
  readonly contextLength: number
  readonly vocabSize: number
  /** Of each streamed answer. */
  readonly tokens: number
  readonly streams: number
  /** Requests of /health while generating; 0: none. */
  readonly healthProbes: number
}

/** By row (rows.ts). */
export type Measured = Readonly<Record<string, number | undefined>>

/** Spawns a server, measures all there is to measure about it, and ends it. */
export async function measureServer(kind: ServerKind, plan: ServerPlan): Promise<Measured> {
  const port = await freePort()
  const command = kind.command(plan.model, port, plan.threads, plan.contextLength)
  const server = await ServerProcess.spawn(command, port)
  try {
    const prompt = Array.from({ length: PROMPT_TOKENS }, (_, i) => (7919 * (i + 1)) % plan.vocabSize)
    const post = (tokens: number) =>
      postAndRecord(`${server.url}${kind.path}`, kind.body(prompt, tokens, `bench-${++jobs}`))
    await post(plan.tokens) // a warm-up
    const engine = await enginePid(server.url)
    const streams: (StreamTiming & { front: number; engine: number })[] = []
    for (let i = 0; i < plan.streams; i++) {
      const before = await cpuOf(server.pid, engine)
      const timing = timeStream(await post(plan.tokens), kind.frame)
      await sleep(AFTERMATH_MS)
      const after = await cpuOf(server.pid, engine)
      streams.push({ ...timing, front: after.front - before.front, engine: after.engine - before.engine })
    }
    const of = (value: (stream: (typeof streams)[number]) => number | undefined) => {
      const values = streams.map(value).filter((number) => number !== undefined)
      return values.length === 0 ? undefined : median(values)
    }
    const front = await proportionalBytes(server.pid)
    const behind = engine === undefined ? 0 : await proportionalBytes(engine)
    const MiB = 1 << 20
    return {
      spawn: server.spawnToHealthyMs,
      'first-token': of(({ firstTokenMs }) => firstTokenMs),
      stream: of(({ tokensPerSecond }) => tokensPerSecond),
      cpu: of(({ front, engine, tokens }) => ((front + engine) / tokens) * 1e6),
      memory: (front + behind) / MiB,
      ...(engine !== undefined && {
        'cpu-front': of(({ front, tokens }) => (front / tokens) * 1e6),
        'cpu-engine': of(({ engine, tokens }) => (engine / tokens) * 1e6),
        'memory-front': front / MiB,
        'memory-engine': behind / MiB,
      }),
      ...(plan.healthProbes > 0 && {
        health: await healthUnderLoad(server.url, plan.healthProbes, () => post(plan.tokens)),
      }),
    }
  } finally {
    await server.end()
  }
}

let jobs = 0

/** The p99 in milliseconds of `probes` requests, one after the other, while `load` runs again and again. */
async function healthUnderLoad(url: string, probes: number, load: () => Promise<unknown>): Promise<number> {
  let enough = false
  const generating = (async () => {
    while (!enough) await load()
  })()
  const times: number[] = []
  try {
    while (times.length < probes) {
      const begin = performance.now()
      // Whatever it says: on a machine that holds the engine up, it is `stalled`.
      await getStatus(`${url}/health`)
      times.push(performance.now() - begin)
      await sleep(BETWEEN_PROBES_MS)
    }
  } finally {
    enough = true
    await generating
  }
  return quantile(times, 0.99)
}

/** The worker's second process, which its /health names; undefined for a server of one process. */
async function enginePid(url: string): Promise<number | undefined> {
  const health = (await (await fetch(`${url}/health`)).json()) as { engine?: { pid?: number } }
  return health.engine?.pid
}

async function cpuOf(front: number, engine: number | undefined): Promise<{ front: number; engine: number }> {
  const [a, b] = await Promise.all([cpuSeconds(front), engine === undefined ? 0 : cpuSeconds(engine)])
  return { front: a, engine: b }
}
