import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkpointNames, EXIT, traceManifestSchema, traceRecordSchema } from '@plumbline/protocol'
import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, nmse, readGguf } from '@plumbline/reference'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openRecording } from '../formats/open-recording.ts'
import { recordedRows } from '../graph/recorded-values.ts'
import { recordOracle } from '../oracle/memory-oracle.ts'

const MODEL = committedAsset('stories260K/stories260K-f32.gguf')
const IDS = [1, 403, 407, 261, 378]
const CLI = fileURLToPath(new URL('../cli.ts', import.meta.url))

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plumbline-oracle-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function oracle(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const base = [CLI, 'oracle', '--model', MODEL, '--prompt-token-ids', IDS.join(), '--out', join(folder, 'trace')]
  return new Promise((resolve) => {
    const child = execFile(process.execPath, ['--conditions=source', ...base, ...args], (_, stdout, stderr) =>
      resolve({ code: child.exitCode!, stdout, stderr }),
    )
  })
}

it('writes a trace by the schema, which opens without faults and holds the forward pass', async () => {
  const { code, stdout } = await oracle('--max-tokens', '3')
  expect(code).toBe(EXIT.ok)
  const { token_ids: tokenIds } = JSON.parse(stdout)
  const out = join(folder, 'trace')
  const manifest = traceManifestSchema.parse(JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8')))
  expect(manifest.engine.name).toBe('plumbline-reference')
  expect(manifest.closed!.generated_token_ids).toEqual(tokenIds)
  const lines = readFileSync(join(out, 'trace.jsonl'), 'utf8').trimEnd().split('\n')
  const records = lines.map((line) => traceRecordSchema.parse(JSON.parse(line)))
  // The prompt, and the tokens but the last, which is chosen and not evaluated.
  expect(records.length).toBe(3 * checkpointNames(5).length)

  const recording = await openRecording(out)
  const expected = recordOracle(loadModel(readGguf(MODEL)), IDS, { maxTokens: 3 }).run
  expect(recording.faults).toEqual([])
  const [run] = recording.runs
  expect(run!.identity).toMatchObject({
    promptTokenIds: IDS,
    generatedTokenIds: tokenIds,
    engine: 'plumbline-reference',
  })
  for (const name of checkpointNames(5)) {
    const rows = recordedRows(run!, name, 0, IDS.length + 2)!
    expect(nmse(rows, recordedRows(expected, name, 0, IDS.length + 2)!), name).toBe(0)
  }
  recording.close()
})

it('plants a mistake, says how large it is, and writes a trace of the same form', async () => {
  const { code, stdout } = await oracle('--mistake', 'rope-pairing@2', '--level', 'layers')
  expect(code).toBe(EXIT.ok)
  expect(JSON.parse(stdout).planted).toMatchObject({ mistake: 'rope-pairing@2', sites: 1 })
  const manifest = readFileSync(join(folder, 'trace', 'manifest.json'), 'utf8')
  expect(traceManifestSchema.parse(JSON.parse(manifest)).level).toBe('layers')
  expect(manifest).not.toContain('rope')
})

it.each([
  [['--mistake', 'rope-pears'], 'no such mistake; choose from double-bos, '],
  [['--mistake', 'bias-missing'], 'nothing of the kind to get wrong'],
  [['--level', 'all'], "--level is 'all', must be logits, layers, ops"],
  [['--prompt-token-ids', '1,,2'], 'must be token ids with commas between them'],
  [['--prompt-token-ids', '1,512'], 'outside the vocabulary'],
])('refuses %j and leaves no trace', async (args, message) => {
  const { code, stderr } = await oracle(...args)
  expect(stderr).toContain(message)
  expect(code).toBe(EXIT.usage)
  expect(existsSync(join(folder, 'trace', 'manifest.json'))).toBe(false)
})

it('does not write over a trace', async () => {
  await oracle()
  const { code, stderr } = await oracle()
  expect(stderr).toContain('already holds one')
  expect(code).toBe(EXIT.usage)
})
