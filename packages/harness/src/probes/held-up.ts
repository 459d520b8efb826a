const TICK_MS = 10
/** A timer may be this late on a machine with nothing else to do. */
const LATE_MS = 10

/** Runs `work` and counts for how long this very process was kept from running meanwhile, in milliseconds. */
export async function countHeldUp<T>(work: () => Promise<T>): Promise<{ result: T; heldUpMs: number }> {
  let heldUpMs = 0
  let last = performance.now()
  const look = () => {
    const now = performance.now()
    const late = now - last - TICK_MS
    if (late > LATE_MS) heldUpMs += late
    last = now
  }
  const timer = setInterval(look, TICK_MS)
  try {
    const result = await work()
    look()
    return { result, heldUpMs }
  } finally {
    clearInterval(timer)
  }
}
