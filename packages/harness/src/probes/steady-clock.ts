/** Milliseconds since 1970, as this process knew them when it began: no later setting of the clock moves it. */
export function steadyNow(): number {
  return performance.timeOrigin + performance.now()
}
