import type { Health } from '@plumbline/protocol'
import type { FastifyInstance } from 'fastify'
import type { Worker } from '../server/worker.ts'
import { VERSION } from '../version.ts'

export function healthRoute(server: FastifyInstance, worker: Worker): void {
  server.get('/health', async (_request, reply) => {
    const fresh = worker.freshMemory()
    // Under load, to read the memory takes as long as a busy machine likes; the last reading will do then.
    if (worker.queue.active === 0) await fresh
    const health = readHealth(worker)
    return reply.code(health.status === 'healthy' ? 200 : 503).send(health)
  })
  // 200 as long as this process answers at all.
  server.get('/livez', () => ({ alive: true }))
}

/** Everything from this process's memory: asking for health costs the engine nothing. */
export function readHealth(worker: Worker): Health {
  const { engine, queue, options, info } = worker
  const status = healthStatus(worker)
  return {
    status,
    ...(status === 'loading' && { progress: engine.loadFraction }),
    model: worker.modelFile.name,
    model_sha256: worker.modelSha256,
    architecture: info?.architecture ?? null,
    quant_kind: info?.quantKind ?? null,
    precision: options.precision,
    device: info?.device ?? options.device,
    backend: info?.backend ?? null,
    built_backends: info?.builtBackends ?? null,
    resident: engine.state === 'ready' || engine.state === 'stalled',
    memory_bytes_used: worker.frontMemory.bytes + worker.engineMemory.bytes,
    vram_bytes_used: worker.vramBytes,
    tokenizer_kind: worker.vocabulary?.kind ?? null,
    vocab_size: info?.vocabSize ?? null,
    context_length: info?.contextLength ?? null,
    uptime_seconds: (performance.now() - worker.startedAt) / 1_000,
    front_pid: process.pid,
    engine: {
      state: engine.state,
      pid: engine.pid,
      restarts: engine.restarts,
      last_progress_ms: engine.lastProgressMs,
    },
    queue: { active: queue.active, waiting: queue.waiting },
    version: VERSION,
    worker_id: options.workerId,
  }
}

function healthStatus({ shuttingDown, engine }: Worker): Health['status'] {
  if (shuttingDown) return 'shutting_down'
  if (engine.inCrashLoop) return 'crash_loop'
  if (engine.state === 'stalled') return 'stalled'
  return engine.state === 'ready' ? 'healthy' : 'loading'
}
