import { defineConfig } from 'vitest/config'
import { reportName } from './scripts/report-name.ts'
import { SkippedReporter } from './scripts/skipped-reporter.ts'

// The tier of this run (docs/decisions/0003-test-tiers.md):
//   x.test.ts          fast, `pnpm test`
//   x.slow.test.ts     every suite at CI size, `pnpm test:slow`
//   x.nightly.test.ts  at the sizes that acceptance names, `pnpm test:nightly`
const tier = process.env.PLUMBLINE_TEST_TIER ?? 'fast'
const pattern = {
  fast: '{src,test,scripts}/**/!(*.slow|*.nightly).test.ts',
  slow: '{src,test,scripts}/**/*.slow.test.ts',
  nightly: '{src,test,scripts}/**/*.nightly.test.ts',
}[tier]
if (pattern === undefined) throw new Error(`PLUMBLINE_TEST_TIER is ${tier}, must be fast, slow or nightly`)

// CI adds up all runners' reports (scripts/sum-tests.ts).
const reports = process.env.PLUMBLINE_TEST_REPORTS

export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: [pattern],
    // At least ten times what a test takes on two idle cores; in CI the slow ones share them with a compiler.
    testTimeout: tier === 'fast' ? 60_000 : 600_000,
    hookTimeout: tier === 'fast' ? 120_000 : 600_000,
    passWithNoTests: true,
    maxWorkers: 2,
    reporters: ['default', new SkippedReporter(), ...(reports === undefined ? [] : ['junit'])],
    ...(reports === undefined ? {} : { outputFile: { junit: `${reports}/${reportName(process.cwd(), tier)}` } }),
  },
})
