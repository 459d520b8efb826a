import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { listeningInodes, listensAt } from './listening.ts'

test('listeningInodes takes what listens at the port, and no connection', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0',
    '   1: 0100007F:1F90 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 20 4 30 10 -1',
    '   2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0',
  ].join('\n')
  expect(listeningInodes(table, 8080)).toEqual(['111'])
})

test.skipIf(process.platform !== 'linux')(
  'this process listens at its own port, a child does not (Linux only)',
  async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const url = `http://127.0.0.1:${port}`
    const child = spawn('sleep', ['60'])
    try {
      expect(await listensAt(process.pid, url)).toBe(true)
      expect(await listensAt(child.pid!, url)).toBe(false)
      expect(await listensAt(process.pid, `http://192.0.2.1:${port}`)).toBe(false)
    } finally {
      child.kill('SIGKILL')
      server.close()
    }
    await new Promise((resolve) => server.once('close', resolve))
    expect(await listensAt(process.pid, url)).toBe(false)
  },
)
