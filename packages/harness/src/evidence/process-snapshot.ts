import type { Health } from '@plumbline/protocol'
import { holdsGpu, isModelFile, mappedFiles } from '../probes/mapped-files.ts'
import { familyCpuMs, readProcessFacts } from '../probes/process-facts.ts'
import type { ProcessSnapshot } from './evidence.ts'

/** Looks at the processes that /health names, and at those that came from the one that was spawned. */
export async function processSnapshot(
  health: Health | undefined,
  spawnedPid: number | undefined,
): Promise<ProcessSnapshot> {
  const enginePid = health?.engine.pid ?? undefined
  const files = enginePid === undefined ? undefined : await mappedFiles(enginePid)
  const areModels = await Promise.all((files ?? []).map(isModelFile))
  const known = [health?.front_pid, enginePid].filter((pid) => pid !== undefined)
  return {
    front: health === undefined ? undefined : await readProcessFacts(health.front_pid),
    engine: enginePid === undefined ? undefined : await readProcessFacts(enginePid),
    mappedModels: files?.filter((_, index) => areModels[index]),
    holdsGpu: enginePid !== undefined && (await holdsGpu(enginePid)),
    othersCpuMs: spawnedPid === undefined ? {} : await familyCpuMs(spawnedPid, known),
  }
}
