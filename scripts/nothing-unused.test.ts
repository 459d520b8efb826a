import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

// Programs that are started by path are no imports, so knip sees them only as entries, used or not.

const root = fileURLToPath(new URL('..', import.meta.url))
const find = (...patterns: string[]) =>
  globSync(patterns, { cwd: root, exclude: (path) => /(^|\/)(node_modules|dist|build|artifacts)$/.test(path) })

const programs = find('{packages,models}/*/{test/fixtures,scripts,training}/**/*.{ts,mjs,js,sh,py}', 'scripts/*.ts')
const users = find('{packages,models}/*/**/*.{ts,mjs,js,sh,py}', '{packages,models}/*/package.json')
const ofTheRoot = [...find('package.json', 'scripts/*.ts', '.github/workflows/*.yml'), '.ci/run']

/** The name in a path or in quotes, with or without its extension; in Python, also what is imported by it. */
function isUsed(program: string): boolean {
  const name = basename(program, extname(program))
  const pattern = new RegExp(`['"\`/ ]${name}([.](ts|mjs|js|sh|py))?['"\`\\s]|^(from|import) ${name}\\b`, 'm')
  // A fixture or a script serves its own package.
  const own = program.startsWith('scripts/')
    ? ofTheRoot
    : users.filter((path) => path.startsWith(`${packageOf(program)}/`))
  return own.some((path) => path !== program && pattern.test(code(path)))
}

const packageOf = (path: string) => path.split('/').slice(0, 2).join('/')
/** Who only speaks of a program does not use it. */
const code = (path: string) => readFileSync(join(root, path), 'utf8').replace(/^\s*(\/\/|\*|#(?!!)).*$/gm, '')

test('every fixture and every script is started or imported by somebody', () => {
  expect(programs.length).toBeGreaterThan(30)
  expect(dirname(programs.find((path) => path.endsWith('canned-haiku.ts'))!)).toBe('packages/harness/test/fixtures')
  // Tests are found by vitest.
  expect(programs.filter((path) => !path.endsWith('.test.ts') && !isUsed(path))).toEqual([])
})
