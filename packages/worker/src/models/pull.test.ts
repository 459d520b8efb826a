import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FakeHub, sha256 } from '../../test/fake-hub.ts'
import { findModel, listModels } from './local-models.ts'
import { describeModels } from './models-command.ts'
import { modelsFolder } from './models-folder.ts'
import { pull } from './pull.ts'
import { verifyRecordedSha256 } from './recorded-sha256.ts'

const NAME = 'qwen2.5-0.5b-instruct'
const BYTES = randomBytes(100_000)

let hub: FakeHub
let folder: string
let environment: NodeJS.ProcessEnv

beforeEach(async () => {
  hub = new FakeHub(BYTES)
  await hub.start()
  folder = mkdtempSync(join(tmpdir(), 'plumbline-pull-'))
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'))
  environment = { PLUMBLINE_MODELS: folder, HF_ENDPOINT: hub.origin }
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await hub.stop()
  rmSync(folder, { recursive: true })
})

async function pulled(name = NAME): Promise<string> {
  const output = new PassThrough()
  await pull(name, output as unknown as NodeJS.WriteStream, environment, { retryMs: 1 })
  return String(output.read())
}

describe('pull', () => {
  it('puts the model where --model finds it, and says how it is served', async () => {
    const output = await pulled()
    const path = findModel(NAME, [folder])!
    expect(readFileSync(path).equals(BYTES)).toBe(true)
    expect(output).toContain(path)
    expect(output).toContain(`sha256 ${sha256(BYTES)}, as published`)
    expect(output).toContain(`--model ${NAME}`)
    expect(output).toContain('100 % of 100.0 kB')
  })

  it('fetches nothing that is there already', async () => {
    await pulled()
    expect(await pulled()).toContain('is there')
    expect(hub.ranges).toHaveLength(1)
  })

  it('fetches again what is no longer what was published', async () => {
    await pulled()
    const path = findModel(NAME, [folder])!
    writeFileSync(path, 'something else')
    await pulled()
    expect(readFileSync(path).equals(BYTES)).toBe(true)
  })

  it('names the models that there are when the name is none of them', async () => {
    await expect(pulled('qwen')).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(pulled('../qwen')).rejects.toThrow(/must be one of .*qwen2\.5-0\.5b-instruct/)
  })
})

describe('verifyRecordedSha256', () => {
  it('passes the published bytes, and refuses others', async () => {
    await pulled()
    const path = findModel(NAME, [folder])!
    await verifyRecordedSha256(path)
    writeFileSync(path, Buffer.from(BYTES).reverse())
    await expect(verifyRecordedSha256(path)).rejects.toMatchObject({
      code: 'CHECKSUM_MISMATCH',
      fields: { expected: sha256(BYTES) },
    })
  })

  it('has nothing to say of a file that was not pulled', async () => {
    await verifyRecordedSha256(join(folder, 'mine.gguf'))
  })
})

describe('the models that are here', () => {
  it('are found by name, the Q8_0 when the name says no type, in the order of the folders', () => {
    for (const file of ['a.gguf', 'b-q8_0.gguf', 'b-f32.gguf', 'notes.txt']) writeFileSync(join(folder, file), 'GGUF')
    const folders = [join(folder, 'absent'), folder]
    expect(findModel('a', folders)).toBe(join(folder, 'a.gguf'))
    expect(findModel('b', folders)).toBe(join(folder, 'b-q8_0.gguf'))
    expect(findModel('b-f32', folders)).toBe(join(folder, 'b-f32.gguf'))
    expect(findModel('c', folders)).toBeUndefined()
    expect(findModel('../a', folders)).toBeUndefined()
    expect(listModels(folders).map(({ name }) => name)).toEqual(['a', 'b-f32', 'b-q8_0'])
  })

  it('are listed with what can be pulled', () => {
    writeFileSync(join(folder, 'a.gguf'), 'GGUF')
    expect(describeModels([folder])).toMatch(/^a +4 B {2}.*a\.gguf\n\nTo be had with .*\nqwen2\.5-0\.5b-instruct\n/)
    expect(describeModels([])).toContain('No models here.')
  })

  it('lie in PLUMBLINE_MODELS, or in the cache of the user', () => {
    expect(modelsFolder({ PLUMBLINE_MODELS: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a')
    expect(modelsFolder({ XDG_CACHE_HOME: '/b' })).toBe('/b/plumbline/models')
    expect(modelsFolder({ XDG_CACHE_HOME: 'relative' })).toMatch(/^\/.*\.cache\/plumbline\/models$/)
  })
})
