// How the native code is built: CMake, a C++ compiler, Ninja if it is there. Runs on any Node from 20.19 on.
import { spawn, spawnSync } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const packageRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..')

const INSTALL = {
  compiler: { name: 'a C++20 compiler', debian: 'g++', fedora: 'gcc-c++', macos: 'xcode-select --install' },
  cmake: { name: 'CMake 3.20 or later', debian: 'cmake', fedora: 'cmake', macos: 'brew install cmake' },
}

export const has = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0

/** Everything that is missing, in one line; undefined if nothing is. */
export function missingTools() {
  const compilers = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++']
  const missing = []
  if (!compilers.some(has)) missing.push(INSTALL.compiler)
  if (!has('cmake')) missing.push(INSTALL.cmake)
  if (missing.length === 0) return undefined
  const list = (key, separator = ' ') => missing.map((tool) => tool[key]).join(separator)
  return (
    `missing: ${list('name', ' and ')}. Install with: sudo apt-get install ${list('debian')} (Debian, Ubuntu), ` +
    `sudo dnf install ${list('fedora')} (Fedora), ${list('macos', ' and ')} (macOS)`
  )
}

/** A step that fails says so in few lines, with the end of its log. */
export class StepFailed extends Error {}

function tail(file, lines = 40) {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
}

async function quietly(command, args, log) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.pipe(log, { end: false })
  child.stderr.pipe(log, { end: false })
  return await new Promise((done, fail) => {
    child.once('error', fail)
    child.once('close', done)
  })
}

/**
 * Configures and builds a tree, its output in `<folder>/build.log`. A tree that was configured before is only rebuilt: CMake
 * itself sees what has changed.
 */
export async function buildTree({ folder, options = [], target }) {
  mkdirSync(folder, { recursive: true })
  const logFile = join(folder, 'build.log')
  const log = createWriteStream(logFile)
  const step = async (what, command, ...args) => {
    if ((await quietly(command, args, log)) === 0) return
    await new Promise((done) => log.end(done))
    throw new StepFailed(`${what} failed; the end of ${logFile}:\n${tail(logFile)}`)
  }
  const generator = existsSync(join(folder, 'CMakeCache.txt')) || !has('ninja') ? [] : ['-G', 'Ninja']
  await step('configuring', 'cmake', '-S', packageRoot, '-B', folder, ...generator, ...options)
  await step('compiling', 'cmake', '--build', folder, '--parallel', '2', ...(target ? ['--target', target] : []))
  await new Promise((done) => log.end(done))
}

/** Runs a script's main function; what is missing or failed is printed without a stack. */
export async function main(run) {
  try {
    await run()
  } catch (error) {
    console.error(error instanceof StepFailed ? error.message : error)
    process.exitCode = 1
  }
}
