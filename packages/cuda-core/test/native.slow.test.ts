import { stripVTControlCharacters } from 'node:util'
import { expect } from 'vitest'
import { expectAllSuites, nativeTest } from './native-run.ts'

const suites = 'scripts/test-native.mjs'

nativeTest('the GoogleTest suites pass under ASan and UBSan', process.execPath, [suites, '--sanitize'], expectAllSuites)

nativeTest(
  'the addon passes the fast tests under ASan and UBSan inside Node',
  process.execPath,
  [suites, '--sanitize-node'],
  (output) => expect(Number(/Tests\s+(\d+) passed/.exec(stripVTControlCharacters(output))?.[1])).toBeGreaterThan(400),
)

nativeTest('the GoogleTest suites pass on 64-bit ARM', process.execPath, [suites, '--aarch64'], expectAllSuites)

nativeTest('fuzzing damaged files for 30 s finds nothing', 'scripts/fuzz.sh', ['30'], (output) => {
  expect(Number(/stat::number_of_executed_units:\s*(\d+)/.exec(output)?.[1])).toBeGreaterThan(1000)
})
