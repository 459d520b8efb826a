import { addon, fromNative, guarded } from './addon.ts'
import type { DeviceName, DeviceProbe, GgufInspection } from './types.ts'

/** What a GGUF file holds, and whether it can be run; throws only when it cannot be read as GGUF. */
export function inspectGguf(modelPath: string): GgufInspection {
  const { problem, ...inspection } = guarded(() => addon().inspect({ modelPath }))
  return problem === undefined ? inspection : { ...inspection, problem: fromNative(problem) }
}

/**
 * Hands out the values of all weights of a GGUF, dequantised: a piece of a tensor at a time, whole rows, in the file's order. `shape` is
 * ggml's, the contiguous dimension first. On the calling thread.
 */
export function readWeights(
  modelPath: string,
  use: (name: string, shape: readonly number[], values: Float32Array) => void,
): void {
  guarded(() => addon().readWeights({ modelPath }, use))
}

/** Which device `load` would use. Throws DEVICE_UNAVAILABLE for a GPU that is not to be had: only `auto` falls back. */
export function probeDevice(device: DeviceName): DeviceProbe {
  return guarded(() => addon().probeDevice({ device }))
}

/** What the addon was built with, for a person: `cpu`, `cuda 13.0 (sm_80, sm_90a, compute_90)`. */
export const builtBackends = (): string[] => guarded(() => addon().builtBackends())
