import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { hostname } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { PlumblineError } from '@plumbline/protocol/errors'
import { EXIT } from '@plumbline/protocol/exit-codes'
import type { FastifyInstance } from 'fastify'
import { type Configuration, invalidOption } from '../config/configuration.ts'
import { OPTIONS, type OptionValues } from '../config/options.ts'
import { openLog } from '../telemetry/log.ts'
import { printLifecycleLine } from './lifecycle-line.ts'
import { Shutdown } from './shutdown.ts'
import { type ModelFile, Worker } from './worker.ts'

/** Serves one model until a signal ends it. Resolves with the exit code; what is wrong before it listens is thrown. */
export async function serve(
  { values: options }: Configuration,
  modelFile: ModelFile,
  firstEngine: ChildProcess,
): Promise<number> {
  // V8 doubles the room for young objects while many survive, up to a hundred megabytes, and never gives it back. What streams leave
  // behind is young garbage, which a small room holds as well; the thread that encodes prompts inherits this.
  setFlagsFromString('--semi-space-growth-factor=1')
  const { log, flush } = await openLog(options.logLevel)
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'the front process failed in a way nobody foresaw')
    flush()
    process.exit(EXIT.couldNotRun)
  })
  process.stdout.on('error', () => undefined) // whoever spawned this process need not go on listening

  await assertFree(options)
  const worker = new Worker(options, modelFile, log)
  const shutdown = new Shutdown(worker)
  const failed = new Promise<PlumblineError>((resolve) => worker.engine.once('failed', resolve))
  const loaded = once(worker.engine, 'idle')
  // Whichever is first, though both may have been when the HTTP server is ready.
  const first = Promise.race([failed, once(worker.engine, 'device'), shutdown.finished])
  worker.engine.on('device', (probed) => log.info({ ...probed, type: undefined }, 'device probed'))
  worker.engine.start(firstEngine)
  // While the engine process starts and loads, this one gets its HTTP server ready.
  const server = await buildServer(worker)
  shutdown.server = server

  const early = await first
  if (early instanceof PlumblineError) {
    flush()
    throw namedAfterOption(early, options)
  }
  if (worker.shuttingDown) {
    await shutdown.finished
    flush()
    return EXIT.ok
  }
  const url = await listen(server, options)
  printLifecycleLine({ event: 'listening', url, pid: process.pid })
  log.info({ url, model: modelFile.path, worker_id: options.workerId }, 'listening')

  const outcome = await Promise.race([failed, loaded, shutdown.finished])
  if (outcome instanceof PlumblineError) {
    const { code, message } = namedAfterOption(outcome, options)
    printLifecycleLine({ event: 'failed', code, message })
    log.fatal({ code, ...outcome.fields }, message)
    flush()
    return EXIT.couldNotRun
  }
  if (!worker.shuttingDown) {
    announceReady(worker, url, shutdown.signal)
    await shutdown.finished
  }
  flush()
  return EXIT.ok
}

async function buildServer(worker: Worker): Promise<FastifyInstance> {
  const [{ createHttpServer }, { registerRoutes }] = await Promise.all([
    import('./http-server.ts'),
    import('../routes/routes.ts'),
  ])
  const server = createHttpServer({ log: worker.log, metrics: worker.metrics, apiToken: worker.options.apiToken })
  registerRoutes(server, worker)
  return server
}

/**
 * Throws what is wrong with --port or --host while nothing has been started yet. What listens here for a moment answers nobody: the
 * server itself listens once the device has been probed, and finds out if somebody was faster.
 */
async function assertFree({ port, host }: OptionValues): Promise<void> {
  const server = createServer()
  try {
    server.listen({ port, host })
    await once(server, 'listening')
  } catch (error) {
    throw cannotListen(error as NodeJS.ErrnoException, port, host)
  }
  server.close()
  await once(server, 'close')
}

/** Binds, and says where, or throws what is wrong with --port or --host. */
async function listen(server: FastifyInstance, { port, host }: OptionValues): Promise<string> {
  try {
    await server.listen({ port, host, listenTextResolver: () => '' })
  } catch (error) {
    throw cannotListen(error as NodeJS.ErrnoException, port, host)
  }
  const address = server.server.address() as AddressInfo
  const everywhere = address.address === '0.0.0.0' || address.address === '::'
  const name = everywhere ? hostname() : address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${name}:${address.port}`
}

function cannotListen({ code }: NodeJS.ErrnoException, port: number, host: string): PlumblineError {
  if (code === 'EADDRINUSE' || code === 'EACCES') {
    return invalidOption('--port', String(port), `must be a port that is free and allowed (${code})`)
  }
  return invalidOption('--host', host, `must be an address of this machine (${code})`)
}

function announceReady(worker: Worker, url: string, signal: AbortSignal): void {
  const { log, options, modelFile, engine } = worker
  const { device, memoryBytes } = engine.info!
  const load_ms = Math.round(engine.loadMs)
  printLifecycleLine({ event: 'ready', url, model: modelFile.name, device, load_ms })
  log.info({ device, backend: engine.info!.backend, load_ms }, 'ready')
  if (options.callbackUrl === undefined) return
  const body = {
    worker_id: options.workerId,
    url,
    model: modelFile.name,
    device,
    memory_bytes: memoryBytes,
    vram_bytes: worker.vramBytes,
  }
  void import('./callback.ts').then(({ postCallback }) => postCallback(options.callbackUrl!, body, log, signal))
}

/** What the engine found wrong with an option, as the command line says such things. */
function namedAfterOption(error: PlumblineError, { device, contextLength }: OptionValues): PlumblineError {
  switch (error.code) {
    case 'DEVICE_UNAVAILABLE':
      return renamed(error, `--device is "${device}", must be auto, cpu or a CUDA device that can be used here`)
    case 'INVALID_OPTION':
      return error.fields.field === 'device' ? invalidOption('--device', device, OPTIONS.device.must) : error
    case 'CONTEXT_OVERFLOW':
      return renamed(error, `--context-length is "${contextLength}", must be what the model can do`)
    default:
      return error
  }
}

function renamed(error: PlumblineError, start: string): PlumblineError {
  return new PlumblineError(error.code, `${start}: ${error.message}`, error.fields)
}
