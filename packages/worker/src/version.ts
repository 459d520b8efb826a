import { readFileSync } from 'node:fs'
import { PACKAGE_ROOT } from './package-files.ts'

const packageJson = readFileSync(`${PACKAGE_ROOT}package.json`, 'utf8')

declare const PLUMBLINE_COMMIT: string | null | undefined

export const VERSION = (JSON.parse(packageJson) as { version: string }).version

/** The git commit that the bundle was made from, with `-dirty` behind it if more than that; null from source, or without git. */
export const COMMIT = typeof PLUMBLINE_COMMIT === 'string' ? PLUMBLINE_COMMIT : null
