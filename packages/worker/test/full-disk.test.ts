import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { manifestSha256, traceManifestSchema, traceRecordSchema } from '@plumbline/protocol'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { Execution } from './helpers/execute.ts'
import { STORIES_260K } from './helpers/models.ts'
import { FROM_SOURCE, SpawnedWorker, until } from './helpers/spawn-worker.ts'

const folder = mkdtempSync(join(tmpdir(), 'plumbline-full-disk-'))
afterAll(() => rmSync(folder, { recursive: true }))
const disk = join(folder, 'disk')
mkdirSync(disk)

/**
 * A disk of 1 MiB, in namespaces that go with the process that asked for them: nobody has to unmount it, and where users may make
 * namespaces it takes no root.
 */
const MOUNT = `mount -t tmpfs -o size=1m tmpfs '${disk}'`
const FILL = `(cat /dev/zero > '${disk}/filler' 2>/dev/null || true)`
const ON_DISK = ['--user', '--map-root-user', '--mount', 'sh', '-c']
const canMount = spawnSync('unshare', [...ON_DISK, MOUNT]).status === 0

const onDisk = (script: string, args: readonly string[]) => {
  const program = [...ON_DISK, `${MOUNT} && ${script}`, 'sh', process.execPath, ...FROM_SOURCE]
  const worker = new SpawnedWorker(args, {}, program, 'unshare')
  onTestFinished(async () => void (await worker.stop()))
  return worker
}

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

/** It has what was written until the disk was full, to the byte, and says that it stopped, and why. */
function expectStopped(directory: string, tokens: number): void {
  expect(readdirSync(directory).sort()).toEqual(['manifest.json', 'tensors.bin', 'trace.jsonl'])
  const text = readFileSync(join(directory, 'manifest.json'), 'utf8')
  const { stopped, closed } = traceManifestSchema.parse(JSON.parse(text))
  expect(stopped).toMatch(/^(tensors\.bin|trace\.jsonl): No space left on device$/)
  const lines = readFileSync(join(directory, 'trace.jsonl'), 'utf8').trimEnd().split('\n')
  const last = traceRecordSchema.parse(JSON.parse(lines.at(-1)!))
  const tensors = join(directory, 'tensors.bin')
  expect(readFileSync(tensors)).toHaveLength(last.offset + last.nbytes)
  expect(closed).toMatchObject({
    records: lines.length,
    trace_sha256: sha256(join(directory, 'trace.jsonl')),
    tensors_sha256: sha256(tensors),
    manifest_sha256: manifestSha256(text),
  })
  expect(closed!.generated_token_ids).toHaveLength(tokens)
}

describe.skipIf(!canMount)('on a disk that is full (skipped where no file system can be mounted)', () => {
  const TRACE = ['trace', '--model', STORIES_260K, '--prompt', 'Once', '--max-tokens', '100', '--out', join(disk, 'it')]
  const report = (traced: SpawnedWorker) => JSON.parse(traced.stdout) as { token_ids: number[] }

  test('`trace` stops its trace when the disk fills, generates on, and says so', async () => {
    const copy = join(folder, 'copy')
    const traced = onDisk(`{ "$@"; code=$?; cp -R '${disk}' '${copy}'; exit $code; }`, TRACE)
    expect(await traced.exited).toEqual({ code: 5, signal: null })
    expect(traced.stderr).toMatch(/^plumbline-worker: the trace stopped .*: No space left on device\n$/)
    expectStopped(join(copy, 'it'), report(traced).token_ids.length)
  })

  test('`trace` on a disk that is full from the start generates and says that there is no trace', async () => {
    const traced = onDisk(`${FILL} && exec "$@"`, TRACE)
    expect(await traced.exited).toEqual({ code: 5, signal: null })
    expect(traced.stderr).toMatch(/^plumbline-worker: .* cannot write a trace to \S+: No space left on device\n$/)
    expect(report(traced).token_ids.length).toBeGreaterThan(0)
  })

  const REQUEST = { job_id: 'it', prompt: 'Once', max_tokens: 100, ignore_eos: true, trace: 'ops' }

  /** Runs the job to its end; returns its folder and what the log says of it. */
  async function serve(script: string): Promise<{ directory: string; why: unknown }> {
    const worker = onDisk(script, ['--model', STORIES_260K, '--port', '0', '--trace-dir', disk])
    await worker.waitFor('ready')
    const { events } = await Execution.toEnd(worker.url, REQUEST)
    expect(events.at(-1)).toMatchObject({ type: 'end', tokens_out: 100 })
    const warning = () => worker.log.find(({ msg }) => msg === 'a trace stopped before its generation')
    await until(() => warning() !== undefined)
    expect(warning()).toMatchObject({ level: 40, job_id: 'it', trace: expect.stringMatching(/-it$/) })
    const { trace, why } = warning() as { trace: string; why: unknown }
    return { directory: join('/proc', String(worker.child.pid), 'root', trace), why }
  }

  test('a served job whose trace fills the disk ends as it should, and the log has a warning', async () => {
    const { directory, why } = await serve('exec "$@"')
    expect(why).toMatch(/^[a-z.]+: No space left on device$/)
    expectStopped(directory, 100)
  })

  test('a served job whose trace cannot begin ends as it should, and the log has a warning', async () => {
    const { directory, why } = await serve(`${FILL} && exec "$@"`)
    expect(why).toMatch(/^cannot write a trace to .*: No space left on device$/)
    expect(readdirSync(directory)).toEqual([])
  })
})
