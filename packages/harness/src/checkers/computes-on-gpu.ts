import type { Evidence } from '../evidence/evidence.ts'

/** Whether the engine computes elsewhere than on a CPU: the word of /health counts only where a GPU is to be seen too. */
export function computesOnGpu({ inside, healthBefore }: Pick<Evidence, 'inside' | 'healthBefore'>): boolean {
  const claimed = healthBefore.health?.device ?? 'cpu'
  return claimed !== 'cpu' && (inside === undefined || inside.after.holdsGpu)
}
