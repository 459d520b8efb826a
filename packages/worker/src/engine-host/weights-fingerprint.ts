import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { programPath } from '../package-files.ts'
import { rememberedOfFile } from '../telemetry/file-sha256.ts'

/**
 * The weights' fingerprint (WeightsFingerprint of protocol), in hex. It takes a few seconds a gigabyte of float32 values, in a process of
 * its own so that neither a request nor the engine waits behind it, and is remembered by the file. Rejects where the file cannot be read.
 */
export function weightsFingerprint(path: string): Promise<string> {
  return rememberedOfFile('weights-fingerprint', path, async () => {
    const script = programPath('engine-host/fingerprint-process')
    const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, script, path])
    return stdout
  })
}
