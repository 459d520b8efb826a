import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { fromNative, loadAddon } from '../src/addon.ts'

const folder = mkdtempSync(join(tmpdir(), 'plumbline-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('an addon that cannot be used is ADDON_UNAVAILABLE and says how to build it', () => {
  const broken = join(folder, 'broken.node')
  writeFileSync(broken, 'no shared library')
  const old = join(folder, 'old.cjs')
  writeFileSync(old, 'module.exports = { interfaceVersion: 0 }')

  test.each([
    ['missing', join(folder, 'missing.node'), 'is not there'],
    ['broken', broken, 'cannot be loaded'],
    ['from before the last change of the interface', old, 'interface version 0'],
  ])('%s', (_name, path, why) => {
    expect(() => loadAddon(path)).toThrow(
      expect.objectContaining({
        code: 'ADDON_UNAVAILABLE',
        message: expect.stringMatching(new RegExp(`${why}.*build:native`)),
        fields: { path },
      }),
    )
  })
})

describe('errors from the addon', () => {
  test('keep their code and fields', () => {
    const native = Object.assign(new Error('full'), { code: 'VRAM_OOM', fields: { bytes: 7 } })
    expect(fromNative(native)).toMatchObject({ code: 'VRAM_OOM', message: 'full', fields: { bytes: 7 }, cause: native })
  })

  test('without a code that Plumbline knows are INTERNAL', () => {
    expect(fromNative(Object.assign(new Error('odd'), { code: 'ERR_ODD' }))).toMatchObject({ code: 'INTERNAL' })
    expect(fromNative('text')).toMatchObject({ code: 'INTERNAL', message: 'text' })
  })
})
