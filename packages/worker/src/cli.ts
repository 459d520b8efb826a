import { spawnEngine } from './engine-host/spawn-engine.ts'

/** What serves nothing: other commands, and what is asked about this one. */
const OTHERS = new Set([
  'trace',
  'models',
  'pull',
  'inspect',
  'help',
  '--help',
  '-h',
  '--version',
  '-V',
  '--print-config',
])

/** Runs `plumbline-worker` with these arguments and returns its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  // The engine process starts while this one loads all the rest. Should that not come to anything, it ends with this process.
  const engine = argv.some((argument) => OTHERS.has(argument)) ? undefined : spawnEngine()
  const { runCommandLine } = await import('./cli/command-line.ts')
  return await runCommandLine(argv, engine)
}
