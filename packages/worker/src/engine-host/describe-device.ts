import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { z } from 'zod'
import { programPath } from '../package-files.ts'

const answerSchema = z.union([
  z.object({
    built: z.array(z.string()),
    device: z.string(),
    backend: z.string(),
    fallbackReason: z.string().optional(),
  }),
  z.object({ built: z.array(z.string()).optional(), error: z.string() }),
])

/** Two lines for a person: what this was built with, and what would run the model here. Asked in a process of its own. */
export async function describeDevice(device: string): Promise<string> {
  const script = programPath('engine-host/device-process')
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, script, device])
  const answer = answerSchema.parse(JSON.parse(stdout))
  const runs = 'error' in answer ? answer.error : answer.backend
  const why = 'fallbackReason' in answer && answer.fallbackReason !== undefined ? ` (${answer.fallbackReason})` : ''
  return `built for: ${answer.built?.join(', ') ?? 'unknown'}\nruns on: ${runs}${why}\n`
}
