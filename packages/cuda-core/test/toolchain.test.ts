import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const toolchain = new URL('../scripts/toolchain.mjs', import.meta.url).href

/** Tools that say their version and take every order; `cmake` writes down what it was told, and its cache. */
const cmake = (version: string) => `
[ "$1" = --version ] && echo "cmake version ${version}" && exit
echo "$*" >> "$TREE.log"
[ "$1" = -S ] && echo cache > "$4/CMakeCache.txt"
exit 0`
const good = { 'c++': 'echo "c++ 12.2.0"', cmake: cmake('3.25.1'), make: 'echo "GNU Make 4.3"' }
const oldCompiler = 'case "$*" in *c++20*) exit 1;; esac; echo "c++ (GCC) 8.3.0"'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plumbline-toolchain-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Builds a tree on a machine that has these tools alone. */
function build(tools: Record<string, string>, env: Record<string, string> = {}) {
  const path = join(folder, 'bin')
  rmSync(path, { recursive: true, force: true })
  mkdirSync(path)
  for (const [name, script] of Object.entries(tools)) {
    writeFileSync(join(path, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(path, name), 0o755)
  }
  const tree = join(folder, 'tree')
  const program = `import { buildTree, main } from '${toolchain}'; await main(() => buildTree({ folder: process.env.TREE }))`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    env: { PATH: `${path}:/nowhere`, TREE: tree, ...env },
  })
  return { status, output: stdout + stderr, tree }
}

describe('what is missing is said in one line, with how it is installed', () => {
  const { make, ...withoutMake } = good
  test.each([
    ['nothing at all', {}, 'a C++20 compiler and CMake 3.20 or later and make or Ninja', 'g++ cmake make'],
    ['a compiler', { cmake: good.cmake, make }, 'a C++20 compiler', 'g++'],
    ['CMake', { 'c++': good['c++'], make }, 'CMake 3.20 or later', 'cmake'],
    ['make and Ninja', withoutMake, 'make or Ninja', 'make'],
    ['a CMake that is new enough', { ...good, cmake: cmake('3.18.4') }, '(not cmake version 3.18.4)', 'cmake'],
    [
      'a compiler with C++20',
      { ...good, 'c++': oldCompiler },
      'g++ 11, clang 14 or later (not c++ (GCC) 8.3.0)',
      'g++',
    ],
  ])('%s', (_, tools: Record<string, string>, named, debian) => {
    const { status, output, tree } = build(tools)
    expect(status).toBe(1)
    expect(output).toMatch(/^missing: .*\n$/)
    expect(output).toContain(named)
    expect(output).toContain(`sudo apt-get install ${debian} (Debian 12, Ubuntu 22.04 or later)`)
    expect(output).toMatch(/sudo dnf install .* [(]Fedora[)].* [(]macOS[)]/)
    expect(existsSync(tree)).toBe(false)
  })

  test('the compiler that CXX names and nobody has', () => {
    expect(build(good, { CXX: 'no-such-c++' }).output).toMatch(/^missing: a C\+\+20 compiler[.]/)
  })

  test('Ninja is as good as make', () => {
    expect(build({ ...withoutMake, ninja: 'echo 1.11.1' }).output).toBe('')
  })
})

describe('a tree', () => {
  /** Whether the second build began anew. */
  const rebuilt = (second: Record<string, string>, env: Record<string, string> = {}) => {
    const { tree } = build(good)
    writeFileSync(join(tree, 'object.o'), '')
    expect(build(second, env)).toMatchObject({ status: 0, output: '' })
    expect(readFileSync(`${tree}.log`, 'utf8').match(/^--build/gm)).toHaveLength(2)
    return !existsSync(join(tree, 'object.o'))
  }

  test('is kept while the tools stay', () => expect(rebuilt(good)).toBe(false))
  test('is built anew when nvcc appears', () => expect(rebuilt({ ...good, nvcc: 'echo 13.0' })).toBe(true))
  test('is built anew when the compiler changes', () => {
    expect(rebuilt({ ...good, 'c++': 'echo "c++ 13.1.0"' })).toBe(true)
  })
  test('is built anew when CXX names another one', () => {
    expect(rebuilt({ ...good, 'other-c++': 'echo "c++ 12.2.0"' }, { CXX: 'other-c++' })).toBe(true)
  })
})

describe('native tests that cannot run', () => {
  const run = (env: Record<string, string>) => {
    const script = new URL('../scripts/test-native.mjs', import.meta.url).pathname
    return spawnSync(process.execPath, [script, '--aarch64'], { encoding: 'utf8', env: { PATH: '/nowhere', ...env } })
  }
  const why =
    'a cross compiler, qemu and the sources of GoogleTest (Debian, Ubuntu: g++-aarch64-linux-gnu qemu-user libgtest-dev)'

  test('are skipped by name, with what they need', () => {
    expect(run({})).toMatchObject({ status: 0, stderr: `skipped: the native tests (aarch64) need ${why}\n` })
  })
  test.each(['CI', 'PLUMBLINE_REQUIRE_ASSETS'])('fail where %s forbids that', (variable) => {
    const { status, stderr } = run({ [variable]: '1' })
    expect(status).toBe(1)
    expect(stderr).toBe(`cannot run the native tests (aarch64): they need ${why}, and ${variable} forbids skipping\n`)
  })
})
