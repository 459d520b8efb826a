import { spawn } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ancestors, readProcessFacts } from './process-facts.ts'

test.skipIf(process.platform !== 'linux')(
  'reads what /proc says about this process and a child (Linux only)',
  async () => {
    const own = await readProcessFacts(process.pid)
    expect(own).toMatchObject({ pid: process.pid, parentPid: process.ppid, executable: realpathSync(process.execPath) })
    expect(own!.residentBytes).toBeGreaterThan(10_000_000)
    expect(own!.residentPeakBytes).toBeGreaterThanOrEqual(own!.residentBytes * 0.9)
    expect(own!.proportionalBytes).toBeLessThanOrEqual(own!.residentBytes * 1.1)

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
