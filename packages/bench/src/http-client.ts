import { Agent, get } from 'node:http'
import { connect } from 'node:net'
import { readHttpAnswer } from './http-answer.ts'
import type { Arrival } from './stream-timing.ts'

const agent = new Agent({ keepAlive: true })

/** Status of a GET, its body read to the end. */
export function getStatus(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      response.resume()
      response.once('end', () => resolve(response.statusCode!))
      response.once('error', reject)
    }).once('error', reject)
  })
}

const READ_BYTES = 64 * 1024

/**
 * Posts JSON and keeps what comes with the time of its arrival. Throws for any status but 200. It shares the cores with what is
 * measured, so it does as little as it can: it reads a socket, and makes an answer of what came only once all is over.
 */
export async function postAndRecord(url: string, body: object): Promise<Arrival[]> {
  const { hostname, port, pathname } = new URL(url)
  const text = JSON.stringify(body)
  const head = [
    `POST ${pathname} HTTP/1.1`,
    `host: ${hostname}:${port}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
  ]
  const arrivals = await new Promise<Arrival[]>((resolve, reject) => {
    const arrivals: Arrival[] = []
    let begin = 0
    const callback = (count: number, buffer: Uint8Array) => {
      arrivals.push({ at: performance.now() - begin, bytes: Buffer.from(buffer.subarray(0, count)) })
      return true
    }
    const socket = connect({
      host: hostname,
      port: Number(port),
      onread: { buffer: Buffer.alloc(READ_BYTES), callback },
    })
    socket.setNoDelay()
    socket.once('connect', () => {
      begin = performance.now()
      socket.write(`${head.join('\r\n')}\r\n\r\n${text}`)
    })
    socket.once('error', reject)
    socket.once('end', () => resolve(arrivals))
  })
  const { status, body: pieces } = readHttpAnswer(arrivals)
  if (status === 200) return pieces
  const said = Buffer.concat(pieces.map(({ bytes }) => bytes)).toString()
  throw new Error(`POST ${url} answered ${status}: ${said.slice(0, 300)}`)
}
