import { connect, type Socket } from 'node:net'
import { expect, onTestFinished } from 'vitest'
import { Execution, fakeRequest } from './execute.ts'
import { type SpawnedWorker, until } from './spawn-worker.ts'

/** Disconnects in the middle of a stream, and sees to it that the engine stops each time. */
export async function disconnectAgainAndAgain(
  worker: SpawnedWorker,
  times: number,
  request: () => object,
): Promise<void> {
  const before = await worker.metric('disconnect_stop_seconds_count')
  for (let n = 0; n < times; n++) {
    const execution = await Execution.start(worker.url, request())
    await execution.untilTokens(2)
    execution.disconnect()
    expect(await worker.accessLine(execution.correlationId)).toMatchObject({ outcome: 'client_disconnected' })
    await until(async () => (await worker.health()).queue.active === 0)
  }
  expect(await worker.metric('disconnect_stop_seconds_count')).toBe(before + times)
  // 100 ms is the goal, and bench measures it; ten times as much is a defect.
  expect(await worker.metric('disconnect_stop_seconds_bucket{le="1"}')).toBe(before + times)
  expect((await worker.health()).engine.restarts).toBe(0)
}

/** Sends a request and reads nothing of the answer until told to. */
export function lazyClient(worker: SpawnedWorker, body: object): Socket {
  const text = JSON.stringify(body)
  const socket = connect(Number(new URL(worker.url).port), '127.0.0.1')
  socket.pause()
  const head = `POST /execute HTTP/1.1\r\nHost: x\r\nX-Correlation-ID: lazy\r\nContent-Type: application/json`
  socket.write(`${head}\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
  socket.on('error', () => undefined)
  onTestFinished(() => void socket.destroy())
  return socket
}

// 2,048 events of 8 KB: more than the kernel takes for a socket that nobody reads.
export const WIDE = { tokens: 2_048, batch: 64, wide: true }
export const wideRequest = () => fakeRequest(WIDE, { max_tokens: 2_048 })
