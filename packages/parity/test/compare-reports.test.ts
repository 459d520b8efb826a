import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { committedAsset } from '@plumbline/protocol/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runParity } from './helpers/run-parity.ts'

const model = committedAsset('stories260K/stories260K-f32.gguf')
let folder: string
const at = (name: string) => join(folder, name)
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'plumbline-reports-'))
  const oracle = (out: string, ...more: string[]) =>
    runParity(['oracle', '--model', model, '--prompt-token-ids', '1,403,407,261,378', '--out', at(out), ...more])
  expect(await oracle('right')).toMatchObject({ exitCode: 0 })
  expect(await oracle('again')).toMatchObject({ exitCode: 0 })
  expect(await oracle('wrong', '--mistake', 'rope-pairing@2')).toMatchObject({ exitCode: 0 })
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('compare --html --repro', () => {
  test('a divergence: a page and a bundle, the same bytes each time; repro shows it again', async () => {
    const write = (name: string) =>
      runParity([
        'compare',
        at('wrong'),
        at('right'),
        '--model',
        model,
        '--html',
        at(`${name}.html`),
        '--repro',
        at(`${name}.zip`),
      ])
    expect(await write('first')).toMatchObject({ exitCode: 1 })
    expect(await write('second')).toMatchObject({ exitCode: 1 })
    for (const kind of ['html', 'zip']) {
      expect(readFileSync(at(`first.${kind}`)).equals(readFileSync(at(`second.${kind}`)))).toBe(true)
    }
    const page = readFileSync(at('first.html'), 'utf8')
    expect(page).toContain(`plumbline-parity compare ${at('wrong')} ${at('right')} --model ${model}`)
    expect(page).toContain('&quot; Once&quot;')

    const shown = await runParity(['repro', at('first.zip')])
    expect(shown).toMatchObject({ exitCode: 1, stderr: '' })
    expect(shown.stdout).toMatch(/^DIVERGED first at blk\.2\.attn_q_rope/)
    expect(shown.stdout).toMatch(/candidate against the op on candidate's inputs +\S+ +differs/)
    expect(shown.stdout).toMatch(/reference against the op on reference's inputs +\S+ +within tolerance/)
  })

  test('nothing diverged: a page, and a word on why there is no bundle', async () => {
    const result = await runParity([
      'compare',
      at('again'),
      at('right'),
      '--html',
      at('same.html'),
      '--repro',
      at('same.zip'),
    ])
    expect(result.exitCode).toBe(0)
    expect(result.stderr).toContain('was not written: there is no divergence')
    expect(readFileSync(at('same.html'), 'utf8')).toContain('Same bits')
  })

  test('repro of what is no bundle: exit 4 and the reason; of nothing: exit 5', async () => {
    expect(await runParity(['repro', at('first.html')])).toMatchObject({ exitCode: 4 })
    expect(await runParity(['repro', at('nowhere.zip')])).toMatchObject({ exitCode: 5 })
  })
})
