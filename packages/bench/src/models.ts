import { existsSync, globSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PlumblineError } from '@plumbline/protocol/errors'
import { z } from 'zod'
import { ensureRandomModel, RANDOM_MIXES } from './random-model/cached-model.ts'
import { run } from './run-program.ts'
import { workerScript } from './servers.ts'

export interface BenchModel {
  readonly name: string
  readonly path: string
  readonly fileBytes: number
  /** As the worker takes it unless told otherwise: what the model was trained for, but at most 4096. */
  readonly contextLength: number
  readonly vocabSize: number
}

const DEFAULT_CONTEXT = 4096
const root = fileURLToPath(new URL('../../../', import.meta.url))
const committed = ['models/haiku-nano/haiku-nano-q8_0.gguf']
/** Too small for anybody to mind how quick they are: those of random weights are for tests of the arithmetic. */
const NOT_BENCHED = /^(random-|stories260K)/

/** The folder's models if there is one; else ours, those of the test assets, and (unless quick) the ones made here. */
export async function findModels(
  folder: string | undefined,
  quick: boolean,
  log: (line: string) => void,
): Promise<BenchModel[]> {
  const ggufs = (where: string) =>
    globSync('*.gguf', { cwd: where })
      .toSorted()
      .map((name) => join(where, name))
  const paths = folder === undefined ? committed.map((path) => join(root, path)) : ggufs(folder)
  if (folder === undefined) {
    const assets = join(process.env.PLUMBLINE_TEST_ASSETS ?? '', 'models')
    const known = new Set(paths.map((path) => basename(path)))
    const more = process.env.PLUMBLINE_TEST_ASSETS && existsSync(assets) ? ggufs(assets) : []
    paths.push(...more.filter((path) => !known.has(basename(path)) && !NOT_BENCHED.test(basename(path))))
    if (!quick) for (const mix of RANDOM_MIXES) paths.push(await ensureRandomModel(mix, log))
  }
  if (paths.length === 0) {
    throw new PlumblineError('INVALID_OPTION', `--models is ${folder}, which has no GGUF file`, { option: '--models' })
  }
  return await Promise.all(paths.map(describeModel))
}

const inspectionSchema = z.object({
  architecture: z.string(),
  metadata: z.record(z.string(), z.unknown()),
  tensors: z.array(z.object({ name: z.string(), shape: z.array(z.number()) })),
})

/** What `plumbline-worker inspect` says of it; fails where the worker cannot run it. */
async function describeModel(path: string): Promise<BenchModel> {
  const { architecture, metadata, tensors } = inspectionSchema.parse(
    JSON.parse(await run(process.execPath, [workerScript, 'inspect', '--json', path])),
  )
  const embedding = tensors.find(({ name }) => name === 'token_embd.weight')
  return {
    name: basename(path, '.gguf'),
    path,
    fileBytes: statSync(path).size,
    contextLength: Math.min(z.number().parse(metadata[`${architecture}.context_length`]), DEFAULT_CONTEXT),
    vocabSize: embedding?.shape[1] ?? 0,
  }
}
