import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))
export const MEASUREMENTS = join(root, 'docs', 'measurements')

/** When, of what, and how: what every report begins with. */
export function provenance(script: string): { command: string; date: string; commit: string } {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()
  let commit = 'unknown'
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', 'packages', 'models') !== ''
    commit = `${git('rev-parse', '--short=12', 'HEAD')}${changed ? ' with changes' : ''}`
  } catch {
    // Not a clone.
  }
  const args = process.argv.slice(2).filter((word) => word !== 'kernels')
  return {
    command: ['pnpm', script, ...args].join(' '),
    date: new Date().toISOString().slice(0, 19).concat('Z'),
    commit,
  }
}

/** NAME.md and NAME.json. */
export function writeReport(folder: string, name: string, markdown: string, report: object): void {
  writeJson(join(folder, `${name}.json`), report)
  writeFileSync(join(folder, `${name}.md`), markdown)
}

export function writeJson(path: string, value: object): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)
}
