import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { WorkerLog } from './worker-log.ts'

async function logOf(program: string) {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-harness-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const log = new WorkerLog(join(folder, 'worker.log'))
  const lines: string[] = []
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'pipe'] })
  log.follow(child, (line) => lines.push(line))
  await once(child, 'close')
  await log.close()
  return { lines, tail: log.tail(), text: readFileSync(join(folder, 'worker.log'), 'utf8') }
}

test('keeps both streams by lines, with and without an end, and characters cut between two writes', async () => {
  const program = `
    const bytes = Buffer.from('静か\\r\\nlast')
    process.stdout.write(bytes.subarray(0, 2))
    setTimeout(() => process.stdout.write(bytes.subarray(2)), 100)
    console.error('to stderr')`
  const { lines, tail, text } = await logOf(program)
  expect(lines).toEqual(['静か', 'last'])
  expect([...tail].sort()).toEqual(['last', 'to stderr', '静か'])
  expect(text.split('\n').sort()).toEqual(['', 'last', 'to stderr', '静か'])
})

test('a line without end takes no memory', async () => {
  const { text, tail } = await logOf(`for (let n = 0; n < 100; n++) process.stderr.write('x'.repeat(100_000))`)
  expect(text).toBe(`${'x'.repeat(65_536)}\n`)
  expect(tail).toHaveLength(1)
})

test('a log without end fills no disk', { timeout: 120_000 }, async () => {
  const { text } = await logOf(`for (let n = 0; n < 1_100; n++) process.stderr.write('x'.repeat(65_535) + '\\n')`)
  expect(text.length).toBeLessThan(65 * 1024 * 1024)
  expect(text.endsWith('bytes are kept\n')).toBe(true)
})
