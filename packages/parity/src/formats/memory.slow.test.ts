import { execFile } from 'node:child_process'
import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { exampleMemory, writeExampleTrace } from '../../test/helpers/example-recordings.ts'
import { temporaryFolder } from '../../test/helpers/recordings.ts'

const LIMIT_MIB = 256
const program = fileURLToPath(new URL('../../test/helpers/read-whole.ts', import.meta.url))

async function readWhole(path: string): Promise<{ bytes: number; maxRssMiB: number }> {
  const nodeArgs = ['--conditions=source', '--disable-warning=ExperimentalWarning', program, path]
  return JSON.parse((await promisify(execFile)(process.execPath, nodeArgs)).stdout)
}

it('reads a trace of 10 GB, sparse, in a slab a hundred megabytes large each', async () => {
  const folder = temporaryFolder()
  writeExampleTrace(folder, exampleMemory())
  const manifestPath = join(folder, 'manifest.json')
  const { closed: _, ...manifest } = JSON.parse(readFileSync(manifestPath, 'utf8'))
  writeFileSync(manifestPath, JSON.stringify({ ...manifest, prompt_token_ids: Array(100_000).fill(1) }))
  const [n, width, records] = [1000, 25_000, 100]
  const stats = { min: 0, max: 0, mean: 0, rms: 0, nonfinite: 0 }
  const lines = Array.from({ length: records }, (_, index) => {
    const place = {
      phase: 'prefill',
      pos: index * n,
      n,
      layer: 0,
      name: 'blk.0.output',
      dtype: 'F32',
      shape: [n, width],
    }
    const nbytes = n * width * 4
    return `${JSON.stringify({ v: 1, run: 'run', ...place, stats, offset: index * nbytes, nbytes, values: [] })}\n`
  })
  writeFileSync(join(folder, 'trace.jsonl'), lines.join(''))
  truncateSync(join(folder, 'tensors.bin'), 0)
  truncateSync(join(folder, 'tensors.bin'), records * n * width * 4)
  const { bytes, maxRssMiB } = await readWhole(folder)
  expect(bytes).toBe(records * n * width * 4)
  expect(maxRssMiB).toBeLessThan(LIMIT_MIB)
}, 300_000)

it('reads a line of JSON that no string can hold', async () => {
  const path = join(temporaryFolder(), 'x.jsonl')
  const file = openSync(path, 'w')
  const [rows, width] = [600, 100_000]
  const row = Array.from({ length: width }, (_, index) => (index / 7).toFixed(4)).join(',')
  writeSync(
    file,
    `{"checkpoint":"logits","team":"a","token_idx":0,"dtype":"f32","shape":"[${rows},${width}]","values":[`,
  )
  for (let index = 0; index < rows; index++) writeSync(file, index === 0 ? row : `,${row}`)
  writeSync(file, ']}\n')
  closeSync(file)
  const { bytes, maxRssMiB } = await readWhole(path)
  expect(bytes).toBe(rows * width * 4)
  expect(maxRssMiB).toBeLessThan(LIMIT_MIB)
}, 300_000)

it.each([
  ['parquet', 180],
  ['safetensors', 180],
  ['npz', 180],
  // As text it takes far longer.
  ['jsonl', 30],
] as const)(
  'converts to %s %i tensors of 4 MiB',
  async (format, count) => {
    const folder = temporaryFolder()
    const [positions, width] = [1024, 1024]
    const tensors = Array.from({ length: count }, (_, index) => ({
      name: `blk.${index}.output`,
      shape: [positions, width],
    }))
    const manifest = { format: 'raw-f32', data: 'x.f32', ids: Array(positions).fill(1), tensors }
    writeFileSync(join(folder, 'x.json'), JSON.stringify(manifest))
    const data = openSync(join(folder, 'x.f32'), 'w')
    const row = Float32Array.from({ length: positions * width }, (_, index) => Math.sin(index))
    for (const _ of tensors) writeSync(data, row)
    closeSync(data)
    const cli = fileURLToPath(new URL('../cli.ts', import.meta.url))
    const flags = ['--conditions=source', '--disable-warning=ExperimentalWarning', '--import', REPORT_MEMORY]
    const args = ['convert', join(folder, 'x.json'), join(folder, 'out'), '--to', format]
    const { stderr } = await promisify(execFile)(process.execPath, [...flags, cli, ...args])
    expect(Number(/maxRssMiB (\d+)/.exec(stderr)?.[1])).toBeLessThan(LIMIT_MIB)
  },
  900_000,
)

/** A module of one line: what the process took at most, on stderr. */
const REPORT_MEMORY = `data:text/javascript,process.on('exit',()=>console.error('maxRssMiB',Math.ceil(process.resourceUsage().maxRSS/1024)))`
