import { expect } from 'vitest'
import { Execution, fakeRequest } from './execute.ts'
import type { SpawnedWorker } from './spawn-worker.ts'

/** Kills the engine process in the middle of a stream, by SIGKILL and SIGSEGV in turn, with one whole job after each. */
export async function killAgainAndAgain(worker: SpawnedWorker, times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    const { engine, front_pid } = await worker.untilHealthy()
    const execution = await Execution.start(worker.url, fakeRequest({ tokens: 2, ending: 'go-on' }))
    await execution.untilTokens(2)
    process.kill(engine.pid!, n % 2 === 0 ? 'SIGKILL' : 'SIGSEGV')
    await execution.ended
    expect(execution.terminals).toMatchObject([{ type: 'error', code: 'ENGINE_CRASHED' }])
    const next = await Execution.toEnd(worker.url, fakeRequest({ tokens: 1 }))
    expect(next.terminals).toMatchObject([{ type: 'end' }])
    expect((await worker.untilHealthy()).front_pid).toBe(front_pid)
  }
}
