import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { PlumblineError } from '@plumbline/protocol/errors'
import { z } from 'zod'
import type { GenerationOptions } from './native-programs.ts'
import { run } from './run-program.ts'

/** A folder of llama.cpp's programs: llama-bench and llama-server. */
export interface LlamaCpp {
  readonly folder: string
  readonly environment: NodeJS.ProcessEnv
}

/** The one that PLUMBLINE_LLAMA_CPP names; undefined when it names none. Throws INVALID_OPTION when a program is missing. */
export function findLlamaCpp(folder = process.env.PLUMBLINE_LLAMA_CPP): LlamaCpp | undefined {
  if (folder === undefined || folder === '') return undefined
  const missing = ['llama-bench', 'llama-server'].filter((program) => !existsSync(join(folder, program)))
  if (missing.length > 0) {
    throw new PlumblineError(
      'INVALID_OPTION',
      `PLUMBLINE_LLAMA_CPP is ${folder}, which has no ${missing.join(' and no ')}: it must be the folder of llama.cpp's programs`,
      { option: 'PLUMBLINE_LLAMA_CPP', value: folder },
    )
  }
  // Its libraries may lie beside its programs.
  const libraries = [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':')
  return { folder, environment: { ...process.env, LD_LIBRARY_PATH: libraries } }
}

const benchSchema = z.array(
  z.object({
    build_commit: z.string(),
    n_prompt: z.int(),
    n_gen: z.int(),
    samples_ts: z.array(z.number()).min(1),
  }),
)

export interface LlamaBench {
  readonly commit: string
  /** Tokens per second, one for each repetition. */
  readonly prefill: ReadonlyMap<number, readonly number[]>
  readonly decode: readonly number[]
}

/** What `llama-bench -o json` prints. */
export function readLlamaBench(text: string): LlamaBench {
  const tests = benchSchema.parse(JSON.parse(text))
  return {
    commit: tests[0]?.build_commit ?? 'unknown',
    prefill: new Map(tests.filter(({ n_gen }) => n_gen === 0).map((test) => [test.n_prompt, test.samples_ts])),
    decode: tests.find(({ n_prompt, n_gen }) => n_prompt === 0 && n_gen > 0)?.samples_ts ?? [],
  }
}

/** The same lengths, threads and repetitions as measureGeneration. Only the CPU, whatever it was built with. */
export async function runLlamaBench(
  llama: LlamaCpp,
  options: Omit<GenerationOptions, 'precision'>,
): Promise<LlamaBench> {
  const { model, threads, prefill, decode, repetitions } = options
  const numbers = { m: model, t: threads, p: prefill.join(',') || '0', n: decode, r: repetitions, ngl: 0, o: 'json' }
  const args = Object.entries(numbers).flatMap(([name, value]) => [`-${name}`, String(value)])
  return readLlamaBench(await run(join(llama.folder, 'llama-bench'), args, llama.environment))
}
