import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const fixture = new URL('./fixtures/teardown.ts', import.meta.url).pathname

/** Runs one way to end in a process of its own; a crash or a hang rejects. */
async function run(mode: string): Promise<string> {
  const args = ['--conditions=source', '--expose-gc', fixture, mode]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 })
  expect(stderr).toBe('')
  return stdout.trim()
}

const times = (count: number, mode: string) => async () => {
  for (let round = 0; round < count; round++) await run(mode)
}

test('the process exits while a job runs', times(5, 'exit-with-job'))
test('the process exits from within a sink', times(3, 'exit-in-sink'))
test('the process exits while a model loads', times(3, 'exit-while-loading'))
test('an engine that is idle keeps no process alive', times(2, 'end-without-dispose'))
test('a job that runs keeps the process alive to its end', async () => {
  expect(await run('job-keeps-process-alive')).toBe('done 120')
})
test('a sink that throws is an uncaught exception, and is still told of the end', async () => {
  expect((await run('throwing-sink')).split('\n').toSorted()).toEqual(['caught from the sink', 'done'])
})
test('an engine that is collected without dispose() gives its memory back', times(1, 'collected-without-dispose'))
test('engines are disposed of while jobs run', times(1, 'dispose-while-job-runs'))
test('worker threads are terminated while jobs run', times(1, 'terminate-workers-with-job'))
test('worker threads are terminated while models load', times(1, 'terminate-workers-while-loading'))
test('worker threads are terminated while engines are disposed of', times(1, 'terminate-workers-while-disposing'))
test('worker threads end by themselves', times(1, 'workers-end-by-themselves'))
test('engines of several threads do not know of each other', async () => {
  expect(await run('workers-side-by-side')).toBe('done 48')
})
