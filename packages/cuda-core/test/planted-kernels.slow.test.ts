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

/** What the emulator reports, and at which lines of the kernel: any thread may be the first to be caught. */
const REPORTED = [
  [
    'barrier-missing',
    'attention.cu',
    /race|uninitialised read/,
    ['parts[i % 4] += query[i]', 'query[i] = row[', 'sums[i] = sums[i] * kept'],
  ],
  ['sums-not-set', 'attention.cu', /uninitialised read/, ['sums[i] = sums[i] * kept']],
  ['lane-leaves-early', 'linear.cu', /divergent barrier/, ['dot = reduce_warp<Sum>(dot)']],
  ['rows-beyond-the-last', 'linear.cu', /out of bounds/, ['const Bytes weights = weight.row(output)', 'Format::value']],
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
    for (const [mistake, file, kind, texts] of REPORTED) {
      const reports = [...(outputs.get(mistake) ?? '').matchAll(/([\w.]+):(\d+): ([^\n]*)/g)]
      const ours = reports.filter(([, where]) => where === file)
      expect(ours.length, `${mistake}: ${outputs.get(mistake)}`).toBeGreaterThan(0)
      for (const [, , line, what] of ours) {
        expect(what, mistake).toMatch(kind)
        expect(lineOf(file, Number(line)), mistake).toSatisfy((text: string) => texts.some((one) => text.includes(one)))
      }
    }
  },
)

function lineOf(file: string, line: number): string {
  const source = readFileSync(new URL(`../native/backend/cuda/${file}`, import.meta.url), 'utf8')
  return source.split('\n')[line - 1]!
}
