// `pnpm --filter @plumbline/parity measure-noise`: measures the noise floors again, on every model that is at hand, and writes
// src/verdict/noise-floors.json. Needs PLUMBLINE_TEST_ASSETS and a built worker.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { asset } from '@plumbline/protocol/testing'

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const worker = fromHere('../../worker/bin/plumbline-worker.js')
const haikuNano = fromHere('../../../models/haiku-nano')
const traces = mkdtempSync(join(tmpdir(), 'plumbline-noise-'))

const names = readdirSync(asset('reference/transformers'))
const subjects = [
  ...names.map((name) => ({
    model: asset(`models/${name}.gguf`),
    references: asset(`reference/transformers/${name}`),
  })),
  { model: join(haikuNano, 'haiku-nano-q8_0.gguf'), references: join(haikuNano, 'reference') },
]

try {
  const pairs: string[] = []
  for (const { model, references } of subjects) {
    for (const file of readdirSync(references).filter((name) => name.endsWith('.safetensors'))) {
      const { ids } = JSON.parse(readFileSync(join(references, file.replace('.safetensors', '.json')), 'utf8'))
      const out = join(traces, `${pairs.length}`)
      const args = ['trace', '--model', model, '--prompt-token-ids', ids.join(','), '--max-tokens', '0', '--out', out]
      execFileSync(process.execPath, [worker, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
      pairs.push(`${out}=${join(references, file)}`)
    }
  }
  for (const name of names) {
    const llamaCpp = asset(`reference/llama.cpp/${name}.json`)
    const folder = asset(`reference/transformers/${name}`)
    for (const file of readdirSync(folder).filter((other) => other.endsWith('.safetensors'))) {
      pairs.push(`${join(folder, file)}=${llamaCpp}`)
    }
  }
  const out = fromHere('../src/verdict/noise-floors.json')
  const models = subjects.map(({ model }) => model)
  const args = ['noise-floor', '--model', ...models, '--pair', ...pairs, '--out', out]
  execFileSync(process.execPath, ['--conditions=source', fromHere('../src/cli.ts'), ...args], { stdio: 'inherit' })
} finally {
  rmSync(traces, { recursive: true })
}
