import { fstatSync } from 'node:fs'
import { EXIT } from '@plumbline/protocol/exit-codes'

/** Whoever sets it to 1 holds the other end of this process's stdin, and holds it for as long as the worker is wanted. */
const VARIABLE = 'PLUMBLINE_END_WITH_STDIN'

/**
 * Ends this process when whoever started it is gone, even by SIGKILL: then the kernel closes the other end of stdin. As by two SIGTERMs,
 * since nobody is left to wait for. Without the variable stdin is not looked at, nor where it is no pipe: a shell gives what it runs in
 * the background one that is at its end.
 */
export function endWithStdin(): void {
  if (process.env[VARIABLE] !== '1' || !isPipe(process.stdin.fd)) return
  process.stdin.once('close', () => {
    for (let time = 0; time < 2; time++) {
      if (!process.emit('SIGTERM', 'SIGTERM')) process.exit(EXIT.couldNotRun)
    }
  })
  process.stdin.on('error', () => undefined) // followed by 'close'
  process.stdin.resume()
}

function isPipe(descriptor: number): boolean {
  const stat = fstatSync(descriptor)
  return stat.isFIFO() || stat.isSocket()
}
