import { addon, guarded } from './addon.ts'

/**
 * From now on the kernel kills this process (SIGKILL) when the thread that spawned it ends, even while it is stopped. Linux alone can
 * do that; elsewhere this does nothing. Returns whether it could.
 */
export function endWithParent(): boolean {
  return guarded(() => addon().endWithParent())
}
