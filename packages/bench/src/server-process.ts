import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { getStatus } from './http-client.ts'

const POLL_MS = 2
const HEALTHY_WITHIN_MS = 120_000
const GRACE_MS = 5_000

export interface ServerCommand {
  readonly program: string
  readonly args: readonly string[]
  readonly environment: NodeJS.ProcessEnv
}

/** A port that was free a moment ago: both servers are then polled from their first moment, by the same means. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** A server that was spawned and has become healthy. Its process group is ended by `end`, at the latest with this process. */
export class ServerProcess {
  readonly pid: number
  readonly url: string
  readonly spawnToHealthyMs: number
  readonly #child: ChildProcess
  readonly #kill: () => void

  private constructor(child: ChildProcess, url: string, spawnToHealthyMs: number, kill: () => void) {
    this.pid = child.pid!
    this.#child = child
    this.url = url
    this.spawnToHealthyMs = spawnToHealthyMs
    this.#kill = kill
  }

  static async spawn({ program, args, environment }: ServerCommand, port: number): Promise<ServerProcess> {
    const begin = performance.now()
    const child = spawn(program, args, { env: environment, stdio: ['ignore', 'ignore', 'pipe'], detached: true })
    let lastWords = ''
    child.stderr!.on('data', (bytes: Buffer) => {
      lastWords = (lastWords + bytes.toString()).slice(-2_000)
    })
    await once(child, 'spawn')
    const kill = () => killGroup(child.pid!)
    process.once('exit', kill)
    const url = `http://127.0.0.1:${port}`
    while ((await getStatus(`${url}/health`).catch(() => 0)) !== 200) {
      const late = performance.now() - begin > HEALTHY_WITHIN_MS
      if (late || child.exitCode !== null || child.signalCode !== null) {
        kill()
        const why = late ? `was not healthy within ${HEALTHY_WITHIN_MS / 1e3} s` : 'ended'
        throw new Error(`${program} ${args.join(' ')} ${why}: ${lastWords.trim().split('\n').at(-1)}`)
      }
      await sleep(POLL_MS)
    }
    return new ServerProcess(child, url, performance.now() - begin, kill)
  }

  async end(): Promise<void> {
    const ended = this.#child.exitCode !== null || this.#child.signalCode !== null || once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await Promise.race([ended, sleep(GRACE_MS, undefined, { ref: false })])
    this.#kill()
    process.removeListener('exit', this.#kill)
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}
