import { EXIT } from '@plumbline/protocol'
import { CommandError } from '../command-error.ts'
import type { Subject } from '../evidence/subject.ts'
import type { HealthRecord } from '../probes/health.ts'

/** Measurements are of one model: a worker that runs another file (at --url, or because it was replaced) is not measured. */
export function requireSameModel({ health }: HealthRecord, subject: Subject): void {
  const { path, file } = subject
  if (health?.model_sha256 === file.sha256) return
  const message = `the worker's model has sha256 ${health?.model_sha256 ?? 'unknown'}, and ${path} has ${file.sha256}`
  throw new CommandError(EXIT.notComparable, message)
}
