import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

// A house of the same shape, in which every import is a wrong one.

const root = fileURLToPath(new URL('..', import.meta.url))

/** [file, what it holds, the rule that it breaks] */
const planted: readonly (readonly [string, string, string])[] = [
  ['packages/protocol/src/one.ts', "import './two.ts'", 'no-circular'],
  ['packages/protocol/src/two.ts', "import './one.ts'", ''],
  ['packages/protocol/src/nowhere.ts', "import './nobody.ts'", 'no-unresolved'],
  ['packages/protocol/src/ours.ts', "import '../../worker/src/clean.ts'", 'protocol-imports-nothing-of-ours'],
  ['packages/reference/src/core.ts', "import '../../worker/src/clean.ts'", 'reference-is-independent'],
  ['packages/worker/src/second.ts', "import '../../reference/src/clean.ts'", 'first-opinion-is-independent'],
  ['packages/cuda-core/src/second.ts', "import '../../reference/src/clean.ts'", 'first-opinion-is-independent'],
  ['packages/worker/src/core.ts', "await import('../../cuda-core/src/clean.ts')", 'core-only-in-the-engine-process'],
  ['packages/worker/src/engine-host/a-process.ts', "import '../../../cuda-core/src/clean.ts'", ''],
  ['packages/worker/src/front.ts', "import './engine-host/a-process.ts'", 'engine-process-is-spawned'],
  ['packages/harness/src/inside.ts', "import '../../worker/src/clean.ts'", 'judges-stay-outside'],
  ['packages/parity/src/inside.ts', "import '../../worker/src/clean.ts'", 'judges-stay-outside'],
  ['packages/bench/src/inside.ts', "import '../../worker/src/clean.ts'", 'bench-stays-outside'],
  [
    'models/haiku-nano/src/known.ts',
    "import '../../../packages/protocol/src/clean.ts'",
    'models-know-nothing-of-the-packages',
  ],
  ['packages/worker/src/tested.ts', "import './a.test.ts'", 'no-tests-in-the-product'],
  ['packages/worker/src/a.test.ts', "import 'vitest'", ''],
  ['packages/worker/src/dev.ts', "import 'knip'", 'no-development-dependencies-in-the-product'],
  ['packages/worker/src/of-the-root.ts', "import 'vitest'", 'no-undeclared-dependencies'],
  ['packages/worker/scripts/of-the-root.ts', "import 'vitest'", 'no-undeclared-dependencies'],
  ['packages/worker/test/of-the-root.test.ts', "import 'typescript'", 'no-undeclared-dependencies-in-tests'],
  ['packages/worker/src/clean.ts', "import 'yaml'", ''],
  ['packages/cuda-core/src/clean.ts', 'export {}', ''],
  ['packages/reference/src/clean.ts', 'export {}', ''],
  ['packages/protocol/src/clean.ts', 'export {}', ''],
]

/** What would hide an import from those rules. */
const escapes: readonly (readonly [string, boolean])[] = [
  ["import { createRequire } from 'node:module'\ncreateRequire(import.meta.url)", true],
  ["import * as hidden from 'node:module'\nhidden.createRequire('/')", true],
  ["import hidden from 'node:module'\nhidden.createRequire('/')", true],
  ["require('vitest')", true],
  ["const path: string = './clean.ts'\nawait import(path)", true],
  ["const path: string = 'clean.ts'\nawait import('./' + path)", true],
  ["process.getBuiltinModule('node:module')", true],
  ["await import('./clean.ts')", false],
]

let house: string
const write = (path: string, text: string) => {
  mkdirSync(dirname(join(house, path)), { recursive: true })
  writeFileSync(join(house, path), text)
}
const run = (program: string, ...args: string[]) =>
  spawnSync(process.execPath, [join(root, 'node_modules', program), ...args], { cwd: house, encoding: 'utf8' })

beforeAll(() => {
  house = mkdtempSync(join(tmpdir(), 'plumbline-house-'))
  for (const path of [
    '.dependency-cruiser.mjs',
    'package.json',
    'biome.json',
    '.gitignore',
    'scripts/no-computed-import.grit',
  ]) {
    cpSync(join(root, path), join(house, path))
  }
  symlinkSync(join(root, 'node_modules'), join(house, 'node_modules'))
  for (const name of ['protocol', 'reference', 'cuda-core', 'worker', 'harness', 'parity']) {
    write(
      `packages/${name}/package.json`,
      JSON.stringify({ dependencies: { yaml: '*' }, devDependencies: { knip: '*' } }),
    )
  }
  write('models/haiku-nano/package.json', '{}')
  for (const [path, text] of planted) write(path, `${text}\n`)
  for (const [index, [text]] of escapes.entries()) write(`packages/worker/src/escapes/${index}.ts`, `${text}\n`)
  write('packages/worker/src/escapes/clean.ts', 'export {}\n')
})
afterAll(() => rmSync(house, { recursive: true }))

test('every import that breaks a rule is found, and no other', () => {
  const sources = [...new Set(planted.map(([path]) => path))]
  const { stdout } = run(
    'dependency-cruiser/bin/dependency-cruiser.mjs',
    ...['--config', '.dependency-cruiser.mjs', '--output-type', 'json', ...sources],
  )
  const { summary } = JSON.parse(stdout) as { summary: { violations: { from: string; rule: { name: string } }[] } }
  const found = summary.violations.map(({ from, rule }) => `${from}: ${rule.name}`)
  const expected = planted.filter(([, , rule]) => rule !== '').map(([path, , rule]) => `${path}: ${rule}`)
  expect(found.toSorted()).toEqual(expected.toSorted())
})

test('what would hide an import is found, and nothing else', () => {
  const { stdout } = run('@biomejs/biome/bin/biome', 'lint', '--reporter=github', 'packages/worker/src/escapes')
  const found = escapes.map((_, index) => new RegExp(`^::error .*escapes/${index}[.]ts,`, 'm').test(stdout))
  expect(found).toEqual(escapes.map(([, wrong]) => wrong))
})
