import { type Logger, pino } from 'pino'

export type { Logger }

/** What an unread stderr may cost; what comes after is dropped. */
const MAX_BUFFERED_BYTES = 1024 * 1024

/**
 * The process's log on stderr: pino's JSON lines, or lines for people on a terminal. Written asynchronously, so that nobody who
 * reads stderr slowly can hold up the event loop; `flush` writes what is left, before the process ends.
 */
export async function openLog(level: string): Promise<{ log: Logger; flush: () => void }> {
  const bindings = { base: { pid: process.pid }, level, timestamp: pino.stdTimeFunctions.isoTime }
  if (process.stderr.isTTY) {
    const { default: pretty } = await import('pino-pretty')
    return { log: pino(bindings, pretty({ destination: 2, sync: true, ignore: 'pid' })), flush: () => undefined }
  }
  const destination = pino.destination({ dest: 2, sync: false, maxLength: MAX_BUFFERED_BYTES })
  const flush = () => {
    try {
      destination.flushSync()
    } catch {
      // Nobody reads stderr any more.
    }
  }
  return { log: pino(bindings, destination), flush }
}
