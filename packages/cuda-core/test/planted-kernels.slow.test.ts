import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { nativeTest } from './native-run.ts'

/** Of packages/cuda-core/native/test/emulator/planted_kernels.cmake, and one of the op tests that must fail for each. */
const WRONG_RESULTS = [
  ['rope-pairing', 'CudaOps.RopeOfBothPairings'],
  ['gqa-heads-interleaved', 'CudaOps.AttentionIsTheSameHoweverItIsCut'],
  ['bias-missing', 'CudaOps.LinearOfEveryType'],
  ['mask-off-by-one-early', 'CudaOps.AttentionIsTheSameHoweverItIsCut'],
] as const

/** What the emulator reports, and where: of a race, either side may be the one that comes second. */
const REPORTED = [
  [
    'barrier-missing',
    'attention',
    /race|uninitialised read/,
    'attention.cu',
    /parts\[i % 4\] \+= query\[i\]|query\[i\] = row\[/,
  ],
  ['sums-not-set', 'attention', /uninitialised read/, 'attention.cu', /sums\[i\] = sums\[i\] \* kept/],
  ['lane-leaves-early', 'linear', /divergent barrier/, 'reduce.h', /shuffle_xor\(value, apart\)/],
  ['rows-beyond-the-last', 'linear', /out of bounds/, 'views.h', /row\(std::size_t index\) const { return bytes\.part/],
] as const

nativeTest(
  'mistakes planted in kernels fail the op tests, and those against the rules of CUDA are reported with their line',
  process.execPath,
  ['scripts/test-native.mjs', '--planted-kernels'],
  (output) => {
    const outputs = new Map(
      output.split(/^== /m).map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n'))]),
    )
    for (const [mistake, test] of WRONG_RESULTS) expect(outputs.get(mistake), mistake).toContain(`[  FAILED  ] ${test}`)
    for (const [mistake, kernel, kind, file, text] of REPORTED) {
      const reports = [
        ...(outputs.get(mistake) ?? '').matchAll(/([\w.]+):(\d+): ([\w ]+) in kernel (\w+), block .*, thread /g),
      ]
      expect(reports.length, `${mistake}: ${outputs.get(mistake)}`).toBeGreaterThan(0)
      for (const [, where, line, what, inKernel] of reports) {
        expect([where, inKernel]).toEqual([file, kernel])
        expect(what).toMatch(kind)
        expect(lineOf(file, Number(line))).toMatch(text)
      }
    }
  },
)

function lineOf(file: string, line: number): string {
  const source = readFileSync(new URL(`../native/backend/cuda/${file}`, import.meta.url), 'utf8')
  return source.split('\n')[line - 1]!
}
