// Remakes docs/measurements/honest-pairs.md and .json: node --conditions=source scripts/honest-pairs.ts
// With names of models: compares the pairs of those alone, prints the table and writes nothing.
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { workerMissing } from '../test/helpers/honest-pairs.ts'
import { comparePairs, SUITES, type SuiteName } from '../test/honest-pairs.ts'
import { honestPairsJson, honestPairsMarkdown } from '../test/honest-pairs-table.ts'

const all = Object.keys(SUITES) as SuiteName[]
const given = process.argv.slice(2)
const unknown = given.find((name) => !(name in SUITES))
if (unknown !== undefined) throw new Error(`${unknown} is none of ${all.join(', ')}`)
const missing = workerMissing()
if (missing !== undefined) throw new Error(missing)

const pairs = []
for (const name of given.length === 0 ? all : (given as SuiteName[])) {
  const compared = await comparePairs(name, ['worker', 'oracle'])
  pairs.push(...compared.pairs)
  process.stderr.write(
    `${name}: ${compared.pairs.length} pairs, ${compared.alarms.length} alarms, ${compared.notShown.length} not shown\n`,
  )
}
if (given.length > 0) process.stdout.write(honestPairsMarkdown(pairs))
else {
  const folder = fileURLToPath(new URL('../../../docs/measurements/', import.meta.url))
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}honest-pairs.md`, honestPairsMarkdown(pairs))
  writeFileSync(`${folder}honest-pairs.json`, honestPairsJson(pairs))
}
if (pairs.some(({ alarm }) => alarm !== undefined)) process.exitCode = 1
