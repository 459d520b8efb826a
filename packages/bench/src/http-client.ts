import { Agent, get, request } from 'node:http'
import type { Arrival } from './stream-timing.ts'

// Node's own client, and as little of it as possible: it shares the cores with what is measured.

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

/** Posts JSON and keeps what comes with the time of its arrival. Throws for any status but 200. */
export function postAndRecord(url: string, body: object): Promise<Arrival[]> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body)
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
    const arrivals: Arrival[] = []
    let begin = 0
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      response.on('data', (bytes: Buffer) => arrivals.push({ at: performance.now() - begin, bytes }))
      response.once('error', reject)
      response.once('end', () => {
        if (response.statusCode === 200) return resolve(arrivals)
        const said = Buffer.concat(arrivals.map(({ bytes }) => bytes)).toString()
        reject(new Error(`POST ${url} answered ${response.statusCode}: ${said.slice(0, 300)}`))
      })
    })
    sent.once('error', reject)
    begin = performance.now()
    sent.end(text)
  })
}
