import { readdirSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readGguf } from '@plumbline/reference'
import { describe, expect, test } from 'vitest'
import { openRecording } from '../src/formats/open-recording.ts'
import { modelIdentity } from '../src/oracle/model-identity.ts'
import { readReferenceLogs, verifyFiles } from '../src/reference-logs/manifest.ts'
import { runParity } from './helpers/run-parity.ts'

const folder = fileURLToPath(new URL('../../../reference-logs', import.meta.url))
const manifest = join(folder, 'manifest.json')
const { recordings } = readReferenceLogs(manifest)!
const models = [...new Set(recordings.map(({ model }) => model.file))]

describe('reference-logs', () => {
  test('every file is listed, and is what was recorded', async () => {
    for (const log of recordings) await verifyFiles(manifest, log)
    const listed = new Set(recordings.flatMap(({ files }) => Object.keys(files)))
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
    const recorded = files.map((file) => relative(folder, file)).filter((file) => /^[^/]+\/[^/]+\//.test(file))
    expect(recorded.filter((file) => !listed.has(file))).toEqual([])
    expect(files.reduce((sum, file) => sum + statSync(file).size, 0)).toBeLessThan(5_000_000)
  })

  test('every recording states whose weights, tokenizer and template it is, one and the same for a model', async () => {
    for (const file of models) {
      const stated = new Set<string>()
      for (const log of recordings.filter(({ model }) => model.file === file)) {
        const recording = await openRecording(join(folder, log.recording))
        for (const { identity } of recording.runs) {
          const { modelSha256, weightsFingerprint, tokenizerSha256, chatTemplateSha256 } = identity
          stated.add([modelSha256, weightsFingerprint, tokenizerSha256, chatTemplateSha256].join())
        }
        recording.close()
      }
      const own = modelIdentity(readGguf(join(folder, file)))
      const { sha256 } = recordings.find(({ model }) => model.file === file)!.model
      expect([...stated]).toEqual([
        [sha256, own.weightsFingerprint, own.tokenizerSha256, own.chatTemplateSha256].join(),
      ])
    }
  })

  test('both models have Transformers or its like in float64, llama.cpp and the oracle', () => {
    for (const file of models) {
      const engines = recordings.filter(({ model }) => model.file === file).map(({ engine }) => engine)
      expect(engines).toEqual(expect.arrayContaining(['transformers', 'llama.cpp', 'plumbline-reference']))
    }
    expect(models).toHaveLength(2)
  })

  test.each(models.flatMap((model) => ['exact', 'fast'].map((precision) => [model, precision] as const)))(
    'the worker is what was recorded, and both state whose model, tokenizer and template it is: %s, %s',
    async (model, precision) => {
      const args = ['--model', join(folder, model), '--reference', folder, '--precision', precision, '--threads', '2']
      args.push('--strict-identity')
      const { exitCode, stdout } = await runParity(['run', ...args])
      expect(stdout).toMatch(/^SAME: /)
      expect(stdout).not.toContain('unverified')
      expect(exitCode).toBe(0)
    },
  )
})
