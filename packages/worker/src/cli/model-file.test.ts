import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { findModelFile } from './model-file.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plumbline-model-file-'))
  vi.stubEnv('PLUMBLINE_MODELS', folder)
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'))
  writeFileSync(join(folder, 'mine-q8_0.gguf'), 'GGUF…')
})

afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

describe('findModelFile', () => {
  it('finds a path, named after the file', async () => {
    const path = join(folder, 'mine-q8_0.gguf')
    expect(await findModelFile(path)).toEqual({ name: 'mine-q8_0', path })
  })

  it('finds a name, which is what the model is called then', async () => {
    expect(await findModelFile('mine')).toEqual({ name: 'mine', path: join(folder, 'mine-q8_0.gguf') })
  })

  it.each([
    [undefined, '--model is missing, must be the path of a GGUF file or the name of a model'],
    ['nothing', '--model is "nothing", must be the path of a GGUF file or the name of a model'],
    ['/dev', '--model is "/dev", must be the path of a GGUF file or the name of a model'],
    [import.meta.filename, 'must be a GGUF file (it does not begin with "GGUF")'],
    ['qwen2.5-0.5b-instruct', '`plumbline-worker pull qwen2.5-0.5b-instruct` fetches this one'],
  ])('refuses %s', async (model, message) => {
    await expect(findModelFile(model)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(findModelFile(model)).rejects.toThrow(message)
  })

  const readable = 'must be the path of a GGUF file that can be read'

  it.each([
    ['a path of 5,000 letters', () => `/${'x'.repeat(5_000)}`, `xxx…", ${readable} (ENAMETOOLONG)`],
    ['a name of 5,000 letters', () => 'x'.repeat(5_000), `xxx…", ${readable} (ENAMETOOLONG)`],
    ['a link to itself', () => join(folder, 'loop'), `loop", ${readable} (ELOOP)`],
    ['a file that is there and cannot be read', () => '/proc/self/mem', `"/proc/self/mem", ${readable} (EIO)`],
  ])('refuses %s in one line that says why', async (_name, model, message) => {
    symlinkSync('loop', join(folder, 'loop'))
    const error = await findModelFile(model(), 'MODEL').catch((error) => error)
    expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringMatching(/^MODEL is [^\n]{1,400}$/) })
    expect(error.message).toContain(message)
  })

  it('refuses a pulled file that is no longer what was published', async () => {
    writeFileSync(join(folder, 'mine-q8_0.gguf.sha256'), `${'0'.repeat(64)}  mine-q8_0.gguf\n`)
    await expect(findModelFile('mine')).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
  })
})
