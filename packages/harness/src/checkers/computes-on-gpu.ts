import type { Evidence } from '../evidence/evidence.ts'

/** What a worker may say that it runs on, besides a GPU: `emulator` is one that plays the GPU on the CPU, in workers built for tests. */
const ON_THE_CPU: readonly (string | undefined)[] = ['cpu', 'emulator']

export const isGpu = (device: string | undefined): boolean => device !== undefined && !ON_THE_CPU.includes(device)

/** Whether the engine computes elsewhere than on a CPU: the word of /health counts only where a GPU is to be seen too. */
export function computesOnGpu({ inside, healthBefore }: Pick<Evidence, 'inside' | 'healthBefore'>): boolean {
  return isGpu(healthBefore.health?.device) && (inside === undefined || inside.after.holdsGpu === true)
}
