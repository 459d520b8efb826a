import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What the test report of a package is called: after the package, since two checkouts and packages may lie in folders of one name. */
export function reportName(folder: string, tier: string): string {
  const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name: string }
  return `${name.replace('@plumbline/', '')}.${tier}.xml`
}
