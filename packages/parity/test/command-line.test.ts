import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { committedAsset } from '@plumbline/protocol/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LOGIT_METRIC_NAMES, METRIC_NAMES } from '../src/comparison/comparison.ts'
import { jsonReportSchema } from '../src/report/json-report.ts'
import { runParity } from './helpers/run-parity.ts'

const model = committedAsset('stories260K/stories260K-f32.gguf')
const references = committedAsset('stories260K/transformers')
const reference = join(references, 'prompt-0.safetensors')
const folder = mkdtempSync(join(tmpdir(), 'plumbline-cli-'))
const right = join(folder, 'right')
const wrong = join(folder, 'wrong')
const other = join(folder, 'other')
const coarse = join(folder, 'coarse')
/** The reference, which does not say what it was tokenised with. */
const silent = join(folder, 'prompt-0.safetensors')
beforeAll(async () => {
  const { tokenizer_sha256: _, ...stated } = JSON.parse(readFileSync(join(references, 'prompt-0.json'), 'utf8'))
  writeFileSync(join(folder, 'prompt-0.json'), JSON.stringify(stated))
  cpSync(reference, silent)
  const ids = ['--model', model, '--max-tokens', '2', '--prompt-token-ids']
  await runParity(['oracle', ...ids, '1,403,407,261,378', '--out', right])
  await runParity(['oracle', ...ids, '1,403,407,261,378', '--out', wrong, '--mistake', 'norm-plus-one@3.ffn_norm'])
  await runParity(['oracle', ...ids, '1,403,407,261,378', '--out', coarse, '--activations', 'Q8'])
  await runParity(['oracle', ...ids, '1,403,407,262', '--out', other])
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('compare', () => {
  test('an honest candidate: exit 0, the verdict on top, what is unverified right under it', async () => {
    const { exitCode, stdout, stderr } = await runParity(['compare', coarse, silent, '--allow-weaker'])
    expect([exitCode, stderr]).toEqual([0, ''])
    const [first, second] = stdout.split('\n')
    expect(first).toContain('; weaker: no op was replayed without the model')
    expect(first).toMatch(
      /^SAME WITHIN quantised-activations NOISE: 32,900 values of 78 checkpoints at 5 positions; the most is NMSE/,
    )
    expect(second).toBe('  unverified: tokenizer: not stated by the reference')
    expect(stdout).toContain(
      'mapping    reference: halves-to-neighbours(attn_q, attn_k; head length 8, found by trying)',
    )
  })

  test('8-bit activations whose ops nobody replayed are not shown to be the same, which is no success in CI', async () => {
    const { exitCode, stdout } = await runParity(['compare', coarse, reference])
    expect(stdout).toMatch(
      /^NOT SHOWN TO BE THE SAME: within what honest 8-bit runs differ, but a mistake of less than \S+ % of \S+ \(NMSE \S+\) would look the same; give --model, or accept it with --allow-weaker: /,
    )
    expect(exitCode).toBe(3)
  })

  test.each([
    ['8-bit activations, op by op', () => [coarse, reference], 0, /^SAME WITHIN quantised-activations NOISE: /],
    ['a wrong one', () => [wrong, reference], 1, /^DIVERGED first at blk\.3\.ffn_norm \(layer 3, /],
    ['another prompt', () => [other, reference], 3, /^NOT COMPARABLE: the prompts differ from position 3 on/],
    [
      'strict identity',
      () => [right, silent, '--strict-identity'],
      3,
      /^NOT SHOWN TO BE COMPARABLE: unverified tokenizer/,
    ],
    ['bits asked for', () => [coarse, right, '--profile', 'bit-exact'], 1, /^DIVERGED first at blk\.0\.attn_q /],
    [
      'the oracle and Transformers, bit for bit',
      () => [right, reference, '--profile', 'bit-exact'],
      0,
      /^SAME: all .* equal, bit for bit/,
    ],
  ])('%s', async (_, args, code, line) => {
    const { exitCode, stdout } = await runParity(['compare', ...args(), '--model', model])
    expect(stdout).toMatch(line)
    expect(exitCode).toBe(code)
  })

  test('--json: one versioned document on stdout, the verdict on stderr', async () => {
    const { exitCode, stdout, stderr } = await runParity(['compare', wrong, reference, '--model', model, '--json'])
    expect(exitCode).toBe(1)
    const report = jsonReportSchema.parse(JSON.parse(stdout))
    expect(report).toMatchObject({ schema: 'plumbline-parity/compare', version: 1, exit_code: 1 })
    const [comparison] = report.comparisons
    expect(comparison).toMatchObject({
      verdict: { outcome: 'diverged', exit_code: 1 },
      divergence: {
        checkpoint: 'blk.3.ffn_norm',
        layer: 3,
        op: 'ffn_norm',
        position: 0,
        origin: 'local',
        cause: { mistake: 'norm-plus-one' },
      },
      candidate: { format: 'plumbline-trace' },
    })
    expect(comparison!.checkpoints).toHaveLength(78)
    expect(stderr.trim()).toBe(comparison!.verdict.line)
    const again = await runParity(['compare', wrong, reference, '--model', model, '--json'])
    expect(again.stdout).toBe(stdout)
  })

  test('--csv: every row; --markdown: for a job summary, where it is added to what is there', async () => {
    const csv = join(folder, 'rows.csv')
    const summary = join(folder, 'summary.md')
    const env = { ...process.env, GITHUB_STEP_SUMMARY: summary }
    for (let run = 0; run < 2; run++)
      await runParity(['compare', wrong, reference, '--csv', csv, '--markdown', summary], env)
    const lines = readFileSync(csv, 'utf8').trimEnd().split('\n')
    expect(lines).toHaveLength(1 + 78 * 5)
    expect(lines[0]!.split(',')).toEqual(expect.arrayContaining([...METRIC_NAMES, ...LOGIT_METRIC_NAMES]))
    expect(lines[1]).toMatch(/,token_embd,,token_embd,0,64,64,/)
    expect(new Set(lines.map((line) => line.split(',').length)).size).toBe(1)
    const markdown = readFileSync(summary, 'utf8')
    expect(markdown.match(/^### ❌ DIVERGED first at blk\.3\.ffn\\_norm/gm)).toHaveLength(2)
    expect(Buffer.byteLength(markdown)).toBeLessThan(1 << 20)
  })

  test.each([
    ['by its path', () => right],
    ['through another path', () => join(folder, 'other', '..', 'right')],
    [
      'through a link',
      () => {
        symlinkSync(right, join(folder, 'link'))
        return join(folder, 'link')
      },
    ],
    [
      'as a copy',
      () => {
        cpSync(right, join(folder, 'copy'), { recursive: true })
        return join(folder, 'copy')
      },
    ],
  ])('a recording compared with itself, %s, shows nothing', async (_, path) => {
    const same = path()
    const { exitCode, stdout, stderr } = await runParity(['compare', same, right])
    expect(stderr).toContain('NOTHING COMPARED: a recording compared with itself: ')
    expect([exitCode, stdout]).toEqual([4, ''])
    const { exit_code, refusal } = jsonReportSchema.parse(
      JSON.parse((await runParity(['compare', same, right, '--json'])).stdout),
    )
    expect([exit_code, refusal!.message]).toEqual([4, expect.stringContaining('NOTHING COMPARED')])
  })

  test.skipIf(process.platform === 'win32')('neither a pipe nor links in a circle keep it waiting', async () => {
    const pipe = join(folder, 'pipe')
    spawnSync('bash', ['-c', `mkfifo '${pipe}'`])
    const circle = join(folder, 'circle')
    symlinkSync(circle, circle)
    for (const [path, told] of [
      [pipe, 'is neither a file nor a folder'],
      ['/dev/zero', 'is neither a file nor a folder'],
      [circle, 'cannot be opened: ELOOP'],
    ] as const) {
      const { exitCode, stderr } = await runParity(['compare', path, reference])
      expect(stderr).toContain(`${path} ${told}`)
      expect(stderr.split('\n')).toHaveLength(2)
      expect(exitCode).toBe(5)
    }
  })

  test.each([
    ['nothing there', [join(folder, 'nowhere'), reference], 5, 'is not there'],
    ['no recording', [model.replace('stories260K-f32.gguf', 'README.md'), reference], 5, 'format'],
  ])('%s: exit %#', async (_, args, code, told) => {
    const { exitCode, stderr } = await runParity(['compare', ...args])
    expect(stderr).toContain(told)
    expect(exitCode).toBe(code)
  })
})

test.each([
  [['compare', right], 'reference'],
  [['compare', right, right, '--profile', 'perfect'], 'quantised-activations'],
  [['compare', right, right, '--unknown'], '--unknown'],
  [['noise-floor'], '--pair'],
  [['noise-floor', '--pair', 'one'], 'A=B'],
  [['unknown'], 'unknown'],
])('usage: %j is refused with exit 2', async (args, named) => {
  const { exitCode, stderr } = await runParity(args)
  expect(stderr).toContain(named)
  expect(exitCode).toBe(2)
})

test.skipIf(process.platform === 'win32')('a reader that has read enough does not change the exit code', () => {
  const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
  const command = `'${process.execPath}' --conditions=source '${cli}' compare '${wrong}' '${reference}' --json`
  const { stdout, stderr } = spawnSync('bash', ['-c', `${command} | true; echo "\${PIPESTATUS[0]}"`], {
    encoding: 'utf8',
  })
  expect(stdout).toBe('1\n')
  expect(stderr).not.toContain('EPIPE')
  const sound = spawnSync('bash', ['-c', `${command.replace(wrong, right)} | true; echo "\${PIPESTATUS[0]}"`], {
    encoding: 'utf8',
  })
  expect(sound.stdout).toBe('0\n')
})

test.skipIf(!existsSync('/dev/full'))('on a full disk: one line on stderr, and exit 5, never that of a verdict', () => {
  const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
  for (const words of [
    `compare '${right}' '${reference}' --allow-weaker`,
    `compare '${right}' '${reference}' --json`,
    `inspect '${right}'`,
    `validate '${right}'`,
    '--help',
  ]) {
    const { status, stderr } = spawnSync(
      'bash',
      [
        '-c',
        `'${process.execPath}' --conditions=source --disable-warning=ExperimentalWarning '${cli}' ${words} > /dev/full`,
      ],
      { encoding: 'utf8' },
    )
    const told = stderr.split('\n').filter((line) => line.includes('ENOSPC'))
    expect([words, told]).toEqual([
      words,
      [expect.stringMatching(/^plumbline-parity: the output could not be written: /)],
    ])
    expect([words, stderr.includes('    at ')]).toEqual([words, false])
    expect([words, status]).toEqual([words, 5])
  }
})

test('query only reads, and nothing but the recordings', { timeout: 180_000 }, async () => {
  const parquet = join(folder, 'queried.parquet')
  expect(await runParity(['convert', right, parquet, '--to', 'parquet'])).toMatchObject({ exitCode: 0 })
  const before = readFileSync(parquet)
  const written = join(folder, 'written')
  for (const sql of [
    `COPY recordings TO '${written}'`,
    `COPY (SELECT 1) TO '${parquet}'`,
    `SELECT 1; COPY (SELECT 1) TO '${written}'`,
    `ATTACH '${written}' AS other`,
    `SELECT * FROM read_csv('${fileURLToPath(import.meta.url)}')`,
    'SET enable_external_access = true',
  ]) {
    const { exitCode, stderr } = await runParity(['query', sql, parquet])
    expect(stderr).toContain('the query cannot be answered: ')
    expect([sql, exitCode]).toEqual([sql, 2])
  }
  expect(existsSync(written)).toBe(false)
  expect(readFileSync(parquet).equals(before)).toBe(true)
  const counted = await runParity(['query', 'SELECT count(*) AS n FROM recordings', parquet, '--json'])
  expect(JSON.parse(counted.stdout).rows).toEqual([{ n: expect.stringMatching(/^\d+$/) }])
})

test.each([
  ['compare', () => ['compare', right, reference, '--model', silent]],
  ['oracle', () => ['oracle', '--prompt-token-ids', '1', '--out', join(folder, 'none'), '--model', silent]],
  ['noise-floor', () => ['noise-floor', '--model', silent]],
])('%s: a model that is no GGUF is named', async (_, args) => {
  const { exitCode, stderr } = await runParity(args())
  expect(stderr).toContain(`plumbline-parity: ${silent}: magic at byte 0: `)
  expect(exitCode).toBe(5)
})

test('a report into a folder that is not there is told without a stack', async () => {
  const { exitCode, stderr } = await runParity([
    'compare',
    right,
    reference,
    '--html',
    join(folder, 'nowhere', 'x.html'),
  ])
  expect(stderr).toMatch(/^plumbline-parity: ENOENT: .*x\.html'\n$/)
  expect(exitCode).toBe(5)
})

test('--version', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  expect(await runParity(['--version'])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' })
})

test('noise-floor measures a model and a pair, op by op', { timeout: 120_000 }, async () => {
  const { exitCode, stdout } = await runParity([
    'noise-floor',
    '--model',
    model,
    '--prompt',
    'Once',
    '--pair',
    `${right}=${reference}`,
  ])
  expect(exitCode).toBe(0)
  const { profiles } = JSON.parse(stdout)
  expect(
    Object.fromEntries(Object.entries<{ pairs: number }>(profiles).map(([name, { pairs }]) => [name, pairs])),
  ).toEqual({
    float32: 2,
    float16: 1,
    'quantised-activations': 1,
  })
  const { float32, float16 } = profiles
  expect(float32.nmse.logits.at(-1)).toBeGreaterThan(0)
  expect(float32.nmse.logits.at(-1)).toBeLessThan(1e-11)
  expect(float16.nmse.logits.at(-1)).toBeGreaterThan(float32.nmse.logits.at(-1) * 1e3)
})
