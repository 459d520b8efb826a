/** A process of its own that asks the native core what it was built with and which device its argument means here: one JSON value. */
import { builtBackends, type DeviceName, probeDevice } from '@plumbline/cuda-core'

function found(device: DeviceName) {
  let built: string[] | undefined
  try {
    built = builtBackends()
    return { built, ...probeDevice(device) }
  } catch (error) {
    return { built, error: (error as Error).message }
  }
}

process.stdout.write(JSON.stringify(found(process.argv[2] as DeviceName)))
