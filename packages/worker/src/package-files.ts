import { fileURLToPath } from 'node:url'

// This file lies in src/, and what it becomes in dist/ (scripts/bundle.mjs keeps dist/ flat): one step from the package's root.
const fromSource = import.meta.url.endsWith('.ts')

export const PACKAGE_ROOT = fileURLToPath(new URL('../', import.meta.url))

/** A program of engine-host/, to be run by a process of its own. */
export function engineHostProgram(name: 'engine-process' | 'inspect-process'): string {
  return fromSource ? `${PACKAGE_ROOT}src/engine-host/${name}.ts` : `${PACKAGE_ROOT}dist/${name}.js`
}
