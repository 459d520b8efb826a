import { fileURLToPath } from 'node:url'

// This file lies in src/, and what it becomes in dist/ (scripts/bundle.mjs keeps dist/ flat): one step from the package's root.
const fromSource = import.meta.url.endsWith('.ts')

export const PACKAGE_ROOT = fileURLToPath(new URL('../', import.meta.url))

/** A file of src/ that a process or a thread of its own runs: `engine-host/engine-process`. In dist/ it has no folder. */
export function programPath(program: string): string {
  const [, name] = program.split('/')
  return fromSource ? `${PACKAGE_ROOT}src/${program}.ts` : `${PACKAGE_ROOT}dist/${name}.js`
}
