import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { haikuNanoPath, haikuPrompt } from '../src/index.ts'
import { packagePath } from '../src/lists.ts'

// Debian's packages belong to Debian's own Python, which need not be the first on the PATH.
const pythons = process.env.PYTHON === undefined ? ['python3', '/usr/bin/python3'] : [process.env.PYTHON]
const canTrain = (command: string) => spawnSync(command, ['-c', 'import numpy, torch']).status === 0
const found = pythons.find(canTrain)
const python = found ?? pythons[0]!
// One thread: PyTorch and OpenBLAS start one a core of the machine, also where a container may use two of its 64.
const env = { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' }
const runWith = (input: string, command: string, ...parameters: string[]): string => {
  const options = { encoding: 'utf8', cwd: packagePath('training'), env, input } as const
  const { status, stdout, stderr } = spawnSync(command, parameters, options)
  expect(status, stderr).toBe(0)
  return stdout.trim()
}
const run = (command: string, ...parameters: string[]): string => runWith('', command, ...parameters)
const reason = found === undefined ? ` (skipped: ${pythons.join(' and ')} lack PyTorch or numpy; set PYTHON)` : ''
if (reason !== '' && process.env.PLUMBLINE_REQUIRE_ASSETS === '1') throw new Error(`nothing may be skipped${reason}`)

describe.skipIf(found === undefined)(`training in small${reason}`, () => {
  let folder: string
  let model: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'haiku-nano-'))
    model = join(folder, 'model.gguf')
    run(
      process.execPath,
      '--conditions=source',
      packagePath('scripts/write-corpus.ts'),
      join(folder, 'corpus'),
      '1',
      '3000',
    )
    const sizes = ['--positions', '40000', '--sequences', '8', '--warmup', '10']
    run(python, 'train.py', '--corpus', join(folder, 'corpus'), '--out', folder, ...sizes)
    run(python, 'export_gguf.py', '--run', folder, '--out', model)
  }, 600_000)
  afterAll(() => rmSync(folder, { recursive: true }))

  test('the loss falls', () => {
    const lines = readFileSync(join(folder, 'log.jsonl'), 'utf8').trim().split('\n')
    const losses = lines.map((line) => (JSON.parse(line) as { loss: number }).loss)
    expect(losses.length).toBeGreaterThanOrEqual(2)
    expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.5)
  })

  test('the export has the structure of the file in the repository', () => {
    const structure = (path: string) => readFileSync(path).subarray(0, 24)
    expect(structure(model)).toEqual(structure(haikuNanoPath))
    expect(readFileSync(model).length).toBeGreaterThan(2_600_000)
  })

  test('the model can be sampled', () => {
    const requests = 'rain\tone\tlantern\nsea\tfifty-four\tviolin\n'
    const texts = runWith(requests, python, packagePath('training/sample.py'), '--model', model)
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
    expect(texts).toEqual([expect.any(String), expect.any(String)])
  })

  test('two forward passes, PyTorch with and without a cache and numpy, agree to 1e-20', () => {
    const differences = run(python, packagePath('test/fixtures/forward_difference.py'), model).split('\n').map(Number)
    expect(differences).toHaveLength(2)
    for (const difference of differences) expect(difference).toBeLessThan(1e-20)
  })

  test('Python asks in the same words as TypeScript', () => {
    const request = { topic: 'rain', minuteWord: 'fifty-four', word: 'lantern' }
    const example = 'from corpus import Example; print(Example("rain", "fifty-four", "lantern", "").prompt)'
    expect(run(python, '-c', example)).toBe(haikuPrompt(request))
  })

  test('Q8_0: the largest magnitude becomes 127, halves round away from zero', () => {
    const values = [127, -0.5, 0.5, 1.5, -2.5, 0.49, ...Array.from({ length: 26 }, () => 0)]
    const block = JSON.parse(
      run(python, packagePath('test/fixtures/quantize_q8_0.py'), JSON.stringify(values)),
    ) as number[]
    expect(block).toEqual([1, 127, -1, 1, 2, -3, 0, ...Array.from({ length: 26 }, () => 0)])
  })
})
