import { type ChildProcess, spawn } from 'node:child_process'
import { programPath } from '../package-files.ts'

/** An engine process, for an EngineConnection. It ends when its pipe does. */
export function spawnEngine(): ChildProcess {
  const options = { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] as ('ignore' | 'pipe')[] }
  const child = spawn(process.execPath, [...process.execArgv, engineProgram()], options)
  child.on('error', () => undefined) // an EngineConnection says so, and may not be there yet
  return child
}

/** For tests only: PLUMBLINE_ENGINE_PROCESS names another program that speaks the pipe, to inject faults. */
function engineProgram(): string {
  return process.env.PLUMBLINE_ENGINE_PROCESS || programPath('engine-host/engine-process')
}
