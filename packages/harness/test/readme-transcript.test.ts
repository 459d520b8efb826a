import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { GENUINE_CHECKS } from '../src/checkers/genuine.ts'
import { HAIKU_CHECKS } from '../src/checkers/haiku.ts'

test('the transcript in the README of the repository has the checks that there are, in their order', () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
  const transcript = readme.split('```').find((block) => block.includes('\ngenuine    PASS'))!
  const shown = [...transcript.matchAll(/^ {2}\S ([a-z0-9-]+)/gm)].map(([, name]) => name)
  expect(shown).toEqual([...HAIKU_CHECKS, ...GENUINE_CHECKS].map(({ name }) => name))
})
