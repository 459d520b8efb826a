import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LlamaCpp } from './llama-cpp.ts'
import type { ServerCommand } from './server-process.ts'

/** What differs between the two servers that are measured by the same means. */
export interface ServerKind {
  command(model: string, port: number, threads: number, contextLength: number): ServerCommand
  readonly path: string
  /** A greedy answer of just so many tokens. */
  body(promptTokenIds: readonly number[], tokens: number, job: string): object
  /** Of timeStream. */
  readonly frame: RegExp
}

const flags = (dashes: string, options: Readonly<Record<string, string | number>>) =>
  Object.entries(options).flatMap(([name, value]) => [`${dashes}${name}`, String(value)])

export const workerScript = fileURLToPath(new URL('../../worker/bin/plumbline-worker.js', import.meta.url))

export const plumblineServer = (precision: 'fast' | 'exact'): ServerKind => ({
  command: (model, port, threads, contextLength) => ({
    program: process.execPath,
    args: [
      workerScript,
      ...flags('--', { model, port, threads, precision, device: 'cpu', 'context-length': contextLength }),
    ],
    environment: process.env,
  }),
  path: '/execute',
  body: (promptTokenIds, tokens, job) => ({
    job_id: job,
    prompt_token_ids: promptTokenIds,
    max_tokens: tokens,
    temperature: 0,
    ignore_eos: true,
  }),
  frame: /event: token\n/g,
})

/** tools/server/README.md of llama.cpp. */
export const llamaServer = ({ folder, environment }: LlamaCpp): ServerKind => ({
  command: (model, port, threads, contextLength) => ({
    program: join(folder, 'llama-server'),
    args: flags('-', {
      ...{ m: model, t: threads, tb: threads, c: contextLength, np: 1, ngl: 0 },
      ...{ '-host': '127.0.0.1', '-port': port },
    }),
    environment,
  }),
  path: '/completion',
  body: (prompt, tokens) => ({
    prompt,
    n_predict: tokens,
    stream: true,
    cache_prompt: false,
    ignore_eos: true,
    temperature: 0,
    samplers: ['temperature'],
  }),
  // No frame while a character is incomplete.
  frame: /"stop":false[^\n]*?"tokens_predicted":(\d+)/g,
})
