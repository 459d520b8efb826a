import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export { type SamplerVector, samplerVectors } from './sampler-vectors.ts'

// The large test assets live outside the repository (docs/decisions/0004-test-assets.md); what is small is committed.

const committed = fileURLToPath(new URL('../test-vectors/', import.meta.url))

/** Absolute path of a file in `packages/protocol/test-vectors`. */
export function committedAsset(path: string): string {
  return join(committed, path)
}

/** The folder that PLUMBLINE_TEST_ASSETS names, or undefined when it names none. A name that leads nowhere is an error. */
export function assetsFolder(): string | undefined {
  const folder = process.env.PLUMBLINE_TEST_ASSETS
  if (folder === undefined || folder === '') return undefined
  if (!existsSync(folder)) throw new Error(`PLUMBLINE_TEST_ASSETS is ${folder}, which does not exist`)
  return folder
}

/** Absolute path of a file in the assets folder. Call it only inside what `skipReason` let through. */
export function asset(path: string): string {
  const folder = assetsFolder()
  if (folder === undefined) throw new Error(`PLUMBLINE_TEST_ASSETS is not set, and ${path} is needed`)
  return join(folder, path)
}

/**
 * Why tests that need `tool` or the assets must be skipped here, as a suffix for their names; undefined when they can run.
 * With PLUMBLINE_REQUIRE_ASSETS=1 a reason to skip is an error instead.
 */
export function skipReason(missing: string | undefined): string | undefined {
  if (missing !== undefined && process.env.PLUMBLINE_REQUIRE_ASSETS === '1') {
    throw new Error(`${missing}, and PLUMBLINE_REQUIRE_ASSETS=1 forbids skipping`)
  }
  return missing
}

interface Describe {
  (name: string, body: () => void): unknown
  skip: (name: string, body: () => void) => unknown
}

/** `describeWithAssets(describe, name, body)`: vitest's describe where the assets are, a skip that says why where not. */
export function describeWithAssets(describe: Describe, name: string, body: () => void): void {
  const reason = skipReason(assetsFolder() === undefined ? 'PLUMBLINE_TEST_ASSETS is not set' : undefined)
  if (reason === undefined) describe(name, body)
  else describe.skip(`${name} (skipped: ${reason})`, body)
}
