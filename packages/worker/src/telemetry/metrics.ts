import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { PlainHistogram } from './plain-histogram.ts'

/** How a request ended, in the access log and as the label of a counter. */
export type Outcome =
  | 'completed'
  | 'rejected'
  | 'cancelled'
  | 'timed_out'
  | 'engine_lost'
  | 'engine_error'
  | 'shut_down'
  | 'client_disconnected'
  | 'client_stalled'

/** What the gauges read when somebody asks. */
export interface MetricSources {
  queueActive(): number
  queueWaiting(): number
  engineRestarts(): number
  memoryBytes(): { front: number; engine: number }
  vramBytes(): number
}

const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const EVENT_LOOP_RESOLUTION_MS = 20

/** The Prometheus metrics of GET /metrics. */
export class Metrics {
  readonly registry = new Registry()
  readonly requests = this.#counter('requests_total', 'Requests to /execute by how they ended', ['outcome'])
  readonly tokensIn = this.#counter('tokens_in_total', 'Prompt tokens of jobs that were started')
  /** Read when somebody asks: a counter of the library's would be most of what a token costs here. */
  tokensOut = 0
  readonly timeToFirstToken = this.#histogram('time_to_first_token_seconds', 'From admission to the first token event')
  readonly interToken = new PlainHistogram(
    'plumbline_worker_inter_token_seconds',
    'Between two token events of a job',
    LATENCY_BUCKETS,
    this.registry,
  )
  readonly queueWait = this.#histogram('queue_wait_seconds', 'From admission to leaving the queue')
  readonly disconnectStop = this.#histogram(
    'disconnect_stop_seconds',
    'From a client going away to the engine having stopped its job',
  )

  #counter<Label extends string>(name: string, help: string, labelNames: Label[] = []): Counter<Label> {
    return new Counter({ name: `plumbline_worker_${name}`, help, labelNames, registers: [this.registry] })
  }

  #histogram(name: string, help: string): Histogram {
    const full = `plumbline_worker_${name}`
    return new Histogram({ name: full, help, buckets: LATENCY_BUCKETS, registers: [this.registry] })
  }

  /** Registers what is read on demand rather than counted. */
  observe(sources: MetricSources): void {
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name: `plumbline_worker_${name}`,
        help,
        registers: [this.registry],
        collect() {
          this.set(read())
        },
      })
    gauge('queue_active', 'Jobs that the engine is working on', sources.queueActive)
    gauge('queue_waiting', 'Jobs that wait for the engine', sources.queueWaiting)
    gauge('vram_bytes', 'Device memory held by the engine', sources.vramBytes)
    const counter = (name: string, help: string, read: () => number) =>
      new Counter({
        name: `plumbline_worker_${name}`,
        help,
        registers: [this.registry],
        collect() {
          this.reset()
          this.inc(read())
        },
      })
    counter('tokens_out_total', 'Token events made', () => this.tokensOut)
    counter('engine_restarts_total', 'Engine processes that were started again', sources.engineRestarts)
    new Gauge({
      name: 'plumbline_worker_memory_bytes',
      help: 'Proportional set size by process',
      labelNames: ['process'],
      registers: [this.registry],
      collect() {
        const { front, engine } = sources.memoryBytes()
        this.set({ process: 'front' }, front)
        this.set({ process: 'engine' }, engine)
      },
    })
    const delay = monitorEventLoopDelay({ resolution: EVENT_LOOP_RESOLUTION_MS })
    delay.enable()
    new Gauge({
      name: 'plumbline_worker_event_loop_delay_seconds',
      help: 'How late timers of the front process were since the last look',
      labelNames: ['quantile'],
      registers: [this.registry],
      collect() {
        const beyond = (nanoseconds: number) => Math.max(nanoseconds / 1e9 - EVENT_LOOP_RESOLUTION_MS / 1e3, 0)
        this.set({ quantile: '0.5' }, beyond(delay.percentile(50)))
        this.set({ quantile: '0.99' }, beyond(delay.percentile(99)))
        this.set({ quantile: '1' }, beyond(delay.max))
        delay.reset()
      },
    })
  }
}
