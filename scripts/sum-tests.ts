// Adds up the JUnit reports under a folder into one plain line. Steps that failed, by name, count as one failure each: lint has no
// report, and neither has a runner that never started. What was skipped and what failed is named last, where a log that was cut
// still shows it. Exits with 1 when anything failed or nothing ran at all.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder, ...failedSteps] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: sum-tests.ts FOLDER [FAILED_STEP...]')

const failedTests: string[] = []
const skippedTests: string[] = []
const sum = { passed: 0, failed: failedSteps.length, skipped: 0 }
for (const file of globSync('**/*.xml', { cwd: folder }).sort()) {
  const text = readFileSync(join(folder, file), 'utf8')
  if (!text.includes('</testsuites>')) throw new Error(`${file} is cut off: its runner died before it could report`)
  // One <testsuite> element per suite, none where a package has nothing in this tier; the enclosing <testsuites> repeats their totals.
  for (const suite of text.match(/<testsuite\s[^>]*>/g) ?? []) {
    const count = (name: string) => Number(new RegExp(`\\s${name}="(\\d+)"`).exec(suite)?.[1] ?? 0)
    const failed = count('failures') + count('errors')
    const skipped = count('skipped') + count('disabled')
    sum.failed += failed
    sum.skipped += skipped
    sum.passed += count('tests') - failed - skipped
  }
  for (const testCase of text.split(/(?=<testcase\s)/).slice(1)) {
    const attribute = (name: string) => new RegExp(`\\s${name}="([^"]*)"`).exec(testCase)?.[1] ?? '?'
    const name = `${file}: ${attribute('classname')}: ${attribute('name')}`
    if (/<(failure|error)\b/.test(testCase)) failedTests.push(`${name}: ${attribute('message')}`)
    else if (/<skipped\b/.test(testCase)) skippedTests.push(name)
  }
}
for (const test of skippedTests) console.log(`SKIPPED: ${test}`)
for (const test of failedTests) console.log(`FAILED: ${test}`)
for (const step of failedSteps) console.log(`FAILED: ${step}`)
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0
