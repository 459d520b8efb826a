import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PlumblineError } from '@plumbline/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeConfiguration, resolveConfiguration } from './configuration.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'plumbline-configuration-'))
  writeFileSync(join(folder, 'token'), 'correct-horse\n')
  writeFileSync(join(folder, 'short'), 'x\n')
  symlinkSync('loop', join(folder, 'loop'))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('resolveConfiguration', () => {
  test('takes the command line over the environment over the default, and says which', () => {
    const { values, sources } = resolveConfiguration(
      { '--port': '7' },
      { PLUMBLINE_PORT: '8', PLUMBLINE_PRECISION: 'exact', PLUMBLINE_THREADS: '' },
    )
    expect(values).toMatchObject({ port: 7, precision: 'exact', threads: undefined, host: '127.0.0.1', maxQueue: 64 })
    expect(sources).toMatchObject({
      port: 'command line',
      precision: 'environment',
      threads: 'default',
      host: 'default',
    })
  })

  test('makes up a worker id when none is given', () => {
    const ids = [1, 2].map(() => resolveConfiguration({}, {}).values.workerId)
    expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/)
    expect(ids[0]).not.toBe(ids[1])
  })

  test.each([
    [{ '--gpu-device': '1' }, {}, 'cuda:1'],
    [{}, { PLUMBLINE_GPU_DEVICE: '2' }, 'cuda:2'],
    [{ '--gpu-device': '1', '--device': 'cuda:1' }, {}, 'cuda:1'],
    [{ '--device': 'cpu' }, { PLUMBLINE_GPU_DEVICE: '2' }, 'cpu'],
    [{ '--gpu-device': '0' }, { PLUMBLINE_DEVICE: 'cpu' }, 'cuda:0'],
  ])('reads --gpu-device as another way to write --device: %j %j', (flags, environment, device) => {
    expect(resolveConfiguration(flags, environment).values.device).toBe(device)
  })

  test('a host that is not loopback is allowed with a token', () => {
    const flags = { '--host': '0.0.0.0', '--api-token-file': join(folder, 'token') }
    expect(resolveConfiguration(flags, {}).values).toMatchObject({ host: '0.0.0.0', apiToken: 'correct-horse' })
  })

  test.each([
    ['--port', '65536', 'must be an integer from 0 to 65535'],
    ['--port', '-1', 'must be an integer from 0 to 65535'],
    ['--port', '', 'must be an integer from 0 to 65535'],
    ['--port', '1e3', 'must be an integer from 0 to 65535'],
    ['--host', 'no host', 'must be an IP address or a host name'],
    ['--host', '0.0.0.0', 'must be a loopback address'],
    ['--host', '127.0.0.1.example.org', 'must be a loopback address'],
    ['--device', 'gpu', 'must be auto, cpu or cuda:N'],
    ['--gpu-device', '-1', 'must be the number of a GPU'],
    ['--precision', 'half', 'must be fast, exact'],
    ['--worker-id', 'me', 'must be a UUID'],
    ['--threads', '0', 'must be an integer from 1 to 1024'],
    ['--context-length', '7', 'must be an integer from 8'],
    ['--max-queue', '1.5', 'must be an integer from 0'],
    ['--inference-timeout-sec', '0', 'must be a number of seconds from 0.1 to 86400'],
    ['--engine-stall-sec', 'Infinity', 'must be a number of seconds from 1 to 3600'],
    ['--callback-url', 'file:///etc/passwd', 'must be an http or https URL'],
    ['--callback-url', 'example.org', 'must be an http or https URL'],
    ['--api-token-file', '/nowhere', 'must be a readable file that holds a token'],
    ['--api-token-file', '/', 'must be a readable file that holds a token'],
    ['--api-token-file', '/proc/self/mem', 'must be a readable file that holds a token'],
    ['--trace-dir', '/nowhere', 'must be a folder that can be written to (ENOENT)'],
    ['--trace-dir', import.meta.filename, 'must be a folder that can be written to'],
    ['--log-level', 'loud', 'must be trace, debug, info'],
  ])('%s "%s" %s', (option, was, must) => {
    const start = `${option} is "${was}", ${must}`
    expect(() => resolveConfiguration({ [option]: was }, {})).toThrow(start)
  })

  test.each(['--api-token-file', '--trace-dir'])(
    '%s: a path that nothing can be read from is said in one line',
    (flag) => {
      const complaint = (path: string) => {
        try {
          resolveConfiguration({ [flag]: path }, {})
        } catch (error) {
          return error as PlumblineError
        }
        return undefined
      }
      const long = complaint(`/${'x'.repeat(5_000)}`)
      expect(long).toMatchObject({ code: 'INVALID_OPTION' })
      expect(long!.message).toMatch(new RegExp(`^${flag} is "/x{199}…", must be [^\n]{1,200} \\(ENAMETOOLONG\\)$`))
      expect(complaint(join(folder, 'loop'))!.message).toMatch(/ \(ELOOP\)$/)
    },
  )

  test('a token that is too short is refused, and not shown', () => {
    expect(() => resolveConfiguration({ '--api-token-file': join(folder, 'short') }, {})).toThrow('8 to 512')
  })

  test('two devices that contradict each other are refused', () => {
    expect(() => resolveConfiguration({ '--gpu-device': '0', '--device': 'cpu' }, {})).toThrow(
      '--gpu-device is "0", must agree with --device (cpu), or be left out',
    )
  })

  test('a variable is named with its option', () => {
    expect(() => resolveConfiguration({}, { PLUMBLINE_MAX_QUEUE: 'many' })).toThrow(
      '--max-queue (PLUMBLINE_MAX_QUEUE) is "many", must be',
    )
  })
})

test('describeConfiguration shows where each value is from, and no secret', () => {
  const configuration = resolveConfiguration({ '--api-token-file': join(folder, 'token') }, { PLUMBLINE_PORT: '8' })
  const lines = describeConfiguration(configuration).split('\n')
  expect(lines.find((line) => line.startsWith('--port'))).toMatch(/^--port +8 +environment$/)
  expect(lines.find((line) => line.startsWith('--api-token-file'))).toMatch(/ \(set\) +command line$/)
  expect(lines.join('\n')).not.toContain('horse')
})
