import { parentPort, Worker } from 'node:worker_threads'

/** What a task is at: only the ring takes it from `free` to `queued`; whichever thread takes it from there computes it. */
const STATE = { free: 0, queued: 1, taken: 2, done: 3 } as const
/** Of `shared`: how often something was queued, -1 at the end; behind it the state of each task. */
const TICKET = 0
const FIRST_TASK = 1

export type Compute = (task: number) => void

/**
 * Tasks, told apart by their numbers, that this thread and one beside it compute, whichever comes first. What they are of and what
 * comes out is in memory that both share.
 */
export class TaskRing {
  readonly #shared: Int32Array
  readonly #compute: Compute
  #thread: SharedThread | undefined

  constructor(tasks: number, compute: Compute) {
    this.#shared = new Int32Array(new SharedArrayBuffer(4 * (FIRST_TASK + tasks)))
    this.#compute = compute
  }

  /** Gives the thread of `program`, which calls `serveRings`, `memory`. What it does not compute, whatever the reason, is computed here. */
  share(program: URL, memory: object): void {
    this.#thread = takeThread(program)
    this.#thread.worker.postMessage({ ring: this.#shared.buffer, memory })
  }

  /** `task` must be free. */
  queue(task: number): void {
    Atomics.store(this.#shared, FIRST_TASK + task, STATE.queued)
    Atomics.add(this.#shared, TICKET, 1)
    Atomics.notify(this.#shared, TICKET)
  }

  /** Until a task that was queued is computed; it is free then. Where the other thread is at it, others are computed meanwhile. */
  finish(task: number): void {
    const at = FIRST_TASK + task
    computeIfQueued(this.#shared, at, this.#compute)
    for (let other = FIRST_TASK; Atomics.load(this.#shared, at) === STATE.taken; ) {
      while (other < this.#shared.length && !computeIfQueued(this.#shared, other, this.#compute)) other++
      if (other === this.#shared.length) Atomics.wait(this.#shared, at, STATE.taken)
    }
    Atomics.store(this.#shared, at, STATE.free)
  }

  /** As `finish`, of a task that nobody needs any more. */
  drop(task: number): void {
    const at = FIRST_TASK + task
    Atomics.compareExchange(this.#shared, at, STATE.queued, STATE.free)
    while (Atomics.load(this.#shared, at) === STATE.taken) Atomics.wait(this.#shared, at, STATE.taken)
    Atomics.store(this.#shared, at, STATE.free)
  }

  /** Nothing computes tasks any more, once the thread is through with what it is at. */
  end(): void {
    Atomics.store(this.#shared, TICKET, -1)
    Atomics.notify(this.#shared, TICKET)
    for (let task = 0; task < this.#shared.length - FIRST_TASK; task++) this.drop(task)
    if (this.#thread !== undefined) idle.push(this.#thread)
    this.#thread = undefined
  }
}

interface SharedThread {
  readonly program: string
  readonly worker: Worker
}

/** Threads that wait for a ring: to start one takes as long as tens of thousands of rows. */
const idle: SharedThread[] = []

function takeThread(program: URL): SharedThread {
  const index = idle.findIndex((thread) => thread.program === program.href)
  const [waiting] = index < 0 ? [] : idle.splice(index, 1)
  if (waiting !== undefined) return waiting
  const worker = new Worker(program)
  const thread = { program: program.href, worker }
  worker.on('error', () => {}).unref()
  worker.once('exit', () => {
    const at = idle.indexOf(thread)
    if (at >= 0) idle.splice(at, 1)
  })
  return thread
}

/** What the program of a thread does: the tasks of one ring after another, as `computing` their memory says. */
export function serveRings<Memory>(computing: (memory: Memory) => Compute): void {
  parentPort!.on('message', ({ ring, memory }: { ring: SharedArrayBuffer; memory: Memory }) =>
    serveTasks(ring, computing(memory)),
  )
}

/** Computes whatever is queued, until the ring ends. */
function serveTasks(buffer: SharedArrayBuffer, compute: Compute): void {
  const shared = new Int32Array(buffer)
  for (let seen = Atomics.load(shared, TICKET); seen !== -1; seen = Atomics.load(shared, TICKET)) {
    let found = false
    for (let at = FIRST_TASK; at < shared.length; at++) found = computeIfQueued(shared, at, compute) || found
    if (!found) Atomics.wait(shared, TICKET, seen)
  }
}

function computeIfQueued(shared: Int32Array, at: number, compute: Compute): boolean {
  if (Atomics.compareExchange(shared, at, STATE.queued, STATE.taken) !== STATE.queued) return false
  compute(at - FIRST_TASK)
  Atomics.store(shared, at, STATE.done)
  Atomics.notify(shared, at)
  return true
}

/** `path`: relative to the module at `base`, without its ending: a source where that is one, else what it was built to. */
export function threadProgram(path: string, base: string): URL {
  return new URL(`${path}${base.endsWith('.ts') ? '.ts' : '.js'}`, base)
}
