import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** An absolute path inside this package, from src/ and from dist/ alike. */
export const packagePath = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

/** The lines of a file under words/, without comments (`#`) and empty ones. */
export const readLines = (name: string): string[] =>
  readFileSync(packagePath(`words/${name}`), 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))

/** Splits "key value…" at the first space. */
export const keyed = (line: string): [key: string, value: string] => {
  const space = line.indexOf(' ')
  return [line.slice(0, space), line.slice(space + 1)]
}

export const items = (value: string): string[] => value.split(',').map((item) => item.trim())
