import { defineConfig } from 'vitest/config'

// The tier of this run (docs/decisions/0003-test-tiers.md): each tier includes the ones before it.
//   x.test.ts          fast, `pnpm test`
//   x.slow.test.ts     every suite at CI size, `pnpm test:slow`
//   x.nightly.test.ts  at the sizes that the issues name, `pnpm test:nightly`
const tier = process.env.PLUMBLINE_TEST_TIER ?? 'fast'
const include = {
  fast: ['{src,test}/**/*.test.ts'],
  slow: ['{src,test}/**/*.slow.test.ts'],
  nightly: ['{src,test}/**/*.nightly.test.ts'],
}[tier]
if (include === undefined) throw new Error(`PLUMBLINE_TEST_TIER is ${tier}, must be fast, slow or nightly`)

export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include,
    exclude:
      tier === 'fast' ? ['**/*.slow.test.ts', '**/*.nightly.test.ts', '**/node_modules/**'] : ['**/node_modules/**'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    passWithNoTests: true,
    maxWorkers: 2,
  },
})
