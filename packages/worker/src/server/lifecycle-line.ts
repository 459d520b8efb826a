import type { LifecycleLine } from '@plumbline/protocol'

/** One JSON line on stdout for whoever spawned this process. */
export function printLifecycleLine(line: LifecycleLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
