import { spawn } from 'node:child_process'
import { readdirSync, realpathSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ancestors, familyCpuMs, readProcessFacts } from './process-facts.ts'

test.skipIf(process.platform !== 'linux')(
  'reads what /proc says about this process and a child (Linux only)',
  async () => {
    const own = await readProcessFacts(process.pid)
    expect(own).toMatchObject({ pid: process.pid, parentPid: process.ppid, executable: realpathSync(process.execPath) })
    expect(own!.residentBytes).toBeGreaterThan(10_000_000)
    expect(own!.residentPeakBytes).toBeGreaterThanOrEqual(own!.residentBytes * 0.9)
    expect(own!.proportionalBytes).toBeLessThanOrEqual(own!.residentBytes * 1.1)

    // Node has threads, and a thread is no process.
    const thread = readdirSync('/proc/self/task')
      .map(Number)
      .find((id) => id !== process.pid)!
    expect(await readProcessFacts(thread)).toBeUndefined()

    const child = spawn('sleep', ['60'])
    try {
      expect(await readProcessFacts(child.pid!)).toMatchObject({ parentPid: process.pid })
      expect((await ancestors(child.pid!)).slice(0, 2)).toEqual([child.pid, process.pid])
    } finally {
      child.kill('SIGKILL')
      await new Promise((resolve) => child.once('exit', resolve))
    }
    expect(await readProcessFacts(child.pid!)).toBeUndefined()
  },
)

test.skipIf(process.platform !== 'linux')(
  'familyCpuMs counts children and theirs, but for those named (Linux only)',
  async () => {
    const child = spawn('sh', ['-c', 'sleep 60; true'], { detached: true })
    const family = async (pid: number, except: number[]) => Object.keys(await familyCpuMs(pid, except)).map(Number)
    try {
      await expect.poll(() => family(child.pid!, []), { timeout: 10_000 }).toHaveLength(2)
      const own = await family(process.pid, [])
      expect(own).toEqual(expect.arrayContaining([process.pid, ...(await family(child.pid!, []))]))
      expect(await family(process.pid, [child.pid!])).toHaveLength(own.length - 1)
    } finally {
      process.kill(-child.pid!, 'SIGKILL')
    }
  },
)
