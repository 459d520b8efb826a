import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { committedAsset } from '@plumbline/protocol/testing'
import { afterAll, expect, test } from 'vitest'
import { invarianceJsonSchema } from '../src/invariance/report.ts'
import { runParity } from './helpers/run-parity.ts'

const model = committedAsset('stories260K/stories260K-f32.gguf')
const folder = mkdtempSync(join(tmpdir(), 'plumbline-invariance-'))
afterAll(() => rmSync(folder, { recursive: true }))

const invariance = (...args: string[]) => runParity(['invariance', '--model', model, '--max-tokens', '4', ...args])
const odd = fileURLToPath(new URL('fixtures/odd-worker.ts', import.meta.url))
const oddWorker = (how: string) => ['--worker-command', `'${process.execPath}' --conditions=source '${odd}' ${how}`]

test('the worker computes the same bits in every way', async () => {
  const markdown = join(folder, 'invariance.md')
  const ways = ['--threads', '1,2', '--chunks', '3', '--level', 'ops', '--markdown', markdown]
  const { exitCode, stdout } = await invariance('--precision', 'exact', ...ways, '--json')
  const { base, cells, generated, exit_code } = invarianceJsonSchema.parse(JSON.parse(stdout))
  expect(base).toEqual({ precision: 'exact', threads: 1, how: "the worker's own chunks" })
  expect(cells.map(({ threads, how, outcome }) => [threads, how, outcome])).toEqual([
    [1, 'chunks of 3', 'equal'],
    [1, '2 decoded tokens as prompt', 'equal'],
    [2, "the worker's own chunks", 'equal'],
    [2, 'chunks of 3', 'equal'],
    [2, '2 decoded tokens as prompt', 'equal'],
    [2, 'served', 'equal'],
    [2, 'served again, after another prompt', 'equal'],
    [2, 'served among 4 at once', 'equal'],
    [2, 'served among 4 at once, the second', 'equal'],
  ])
  expect([generated, exit_code, exitCode]).toEqual([4, 0, 0])
  expect(readFileSync(markdown, 'utf8')).toMatch(
    /^### ✅ INVARIANT: stories260K-f32.gguf in 9 ways .*\n\n\| {2}\| exact, 1 thread \|/,
  )
})

test('a worker that computes otherwise on two threads is found out: which ways, where first, and by how much', async () => {
  const ways = ['--prompt-token-ids', '1,403,407,261,378', '--threads', '1,2', '--chunks', '512']
  const { exitCode, stdout } = await invariance('--precision', 'exact', ...ways, ...oddWorker('differs-on-two-threads'))
  expect(stdout).toMatch(/^NOT INVARIANT: 7 of 9 ways; exact, 2 threads, .*: DIVERGED first at blk\.3\.ffn_norm/)
  expect(stdout).toMatch(/chunks of 512 +bit-equal +DIFFERS \S+ from blk\.3\.ffn_norm, token 0/)
  expect(exitCode).toBe(1)
})

test('a prompt that repeats a token is evaluated as it was given', async () => {
  const ways = ['--prompt-token-ids', '1,403,1,403,403', '--threads', '1', '--chunks', '2,2', '--level', 'logits']
  const { stdout } = await invariance('--precision', 'exact', ...ways, '--json')
  const { prompt_token_ids, cells } = invarianceJsonSchema.parse(JSON.parse(stdout))
  expect(prompt_token_ids).toEqual([1, 403, 1, 403, 403])
  expect(cells.filter(({ how }) => how === 'chunks of 2')).toHaveLength(1)
})

test.each([
  ['--prompt-token-ids', '1,,2', "--prompt-token-ids is '1,,2', must be token ids with commas between them"],
  ['--level', 'all', "--level is 'all', must be logits, layers, ops"],
  ['--chunks', '0', 'must be whole numbers of 1 or more'],
  ['--threads', 'two', 'must be whole numbers of 1 or more'],
  ['--max-tokens', '0', 'must be a whole number of 1 or more'],
])('%s %s is refused', async (option, value, message) => {
  const { exitCode, stderr } = await invariance(option, value)
  expect(stderr).toContain(message)
  expect(exitCode).toBe(2)
})
