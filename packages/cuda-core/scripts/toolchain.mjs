// How the native code is built: CMake, a C++ compiler, Ninja if it is there, make if not. Runs on any Node from 20.19 on.
import { spawn, spawnSync } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const packageRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..')

const INSTALL = {
  compiler: { name: 'a C++20 compiler', debian: 'g++', fedora: 'gcc-c++', macos: 'xcode-select --install' },
  cmake: { name: 'CMake 3.20 or later', debian: 'cmake', fedora: 'cmake', macos: 'brew install cmake' },
  make: { name: 'make or Ninja', debian: 'make', fedora: 'make', macos: 'xcode-select --install' },
}

/** What the core uses of C++20 and older compilers lack: g++ has it from 11 on, clang from 14 on. */
const CPP20 = `
#include <algorithm>
#include <atomic>
#include <concepts>
#include <ranges>
#include <span>
template <std::integral T> bool sorted(std::span<const T> values) { return std::ranges::is_sorted(values); }
void wait(std::atomic<unsigned>& value) { value.wait(0); }
bool use(std::span<const int> values) { return sorted(values); }
`

/** The first line of what `command --version` says; undefined if there is no such command. */
const versionOf = (command) => {
  const { status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' })
  return status === 0 ? stdout.trim().split('\n')[0] : undefined
}

export const has = (command) => versionOf(command) !== undefined

/** In the order in which CMake looks. */
const compiler = () => [process.env.CXX || ['c++', 'g++', 'clang++']].flat().find(has)

const compilesCpp20 = (command) =>
  spawnSync(command, ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-'], { input: CPP20, stdio: 'pipe' }).status === 0

const isOldCmake = (version) => {
  const [major, minor] = (/(\d+)[.](\d+)/.exec(version) ?? [0, 0, 0]).slice(1).map(Number)
  return major < 3 || (major === 3 && minor < 20)
}

/** Everything that is missing or too old, in one line; undefined if nothing is. */
function lackingTools() {
  const lacking = []
  const found = compiler()
  if (found === undefined) lacking.push(INSTALL.compiler)
  else if (!compilesCpp20(found)) {
    lacking.push({ ...INSTALL.compiler, name: `a C++20 compiler: g++ 11, clang 14 or later (not ${versionOf(found)})` })
  }
  const cmake = versionOf('cmake')
  if (cmake === undefined) lacking.push(INSTALL.cmake)
  else if (isOldCmake(cmake)) lacking.push({ ...INSTALL.cmake, name: `${INSTALL.cmake.name} (not ${cmake})` })
  if (!has('ninja') && !has('make')) lacking.push(INSTALL.make)
  if (lacking.length === 0) return undefined
  const list = (key, separator = ' ') => [...new Set(lacking.map((tool) => tool[key]))].join(separator)
  return (
    `missing: ${list('name', ' and ')}. Install with: sudo apt-get install ${list('debian')} (Debian 12, Ubuntu 22.04 or later), ` +
    `sudo dnf install ${list('fedora')} (Fedora), ${list('macos', ' and ')} (macOS)`
  )
}

/** What a tree is built with: when any of it comes, goes or changes, the tree is built anew. */
const toolchain = (crossCompiler) =>
  [crossCompiler ?? compiler(), 'cmake', 'ninja', 'make', process.env.CUDACXX ?? 'nvcc']
    .map((command) => {
      const { stdout } = command ? spawnSync(command, ['--version'], { encoding: 'utf8' }) : {}
      return `${command}: ${stdout?.trim() || 'none'}\n`
    })
    .join('')

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
 * Configures and builds a tree, its output in `<folder>/build.log`. A tree that was built with these tools before is only brought
 * up to date: CMake itself sees what has changed in the sources.
 */
export async function buildTree({ folder, options = [], target, crossCompiler }) {
  const stamp = join(folder, 'toolchain.txt')
  const tools = toolchain(crossCompiler)
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== tools) {
    const lacking = lackingTools()
    if (lacking) throw new StepFailed(lacking)
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    writeFileSync(stamp, tools)
  }
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
