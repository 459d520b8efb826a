import { readFileSync } from 'node:fs'
import { PACKAGE_ROOT } from './package-files.ts'

const packageJson = readFileSync(`${PACKAGE_ROOT}package.json`, 'utf8')

export const VERSION = (JSON.parse(packageJson) as { version: string }).version
