import { type Addon, addon, type Evaluation, guarded } from './addon.ts'

export type { EvaluatedCheckpoint, Evaluation, OpCall } from './addon.ts'

type Options<Name extends 'sample' | 'noise' | 'logProbabilities' | 'evaluate' | 'runOp'> = Parameters<Addon[Name]>[0]

// What only tests and benchmarks call.

/** The token that the native sampler draws. */
export const sample = (options: Options<'sample'>): number => guarded(() => addon().sample(options))

/** The random word and the Gumbel noise behind one token at one place of an answer. */
export const noise = (options: Options<'noise'>): { word: number; gumbel: number } =>
  guarded(() => addon().noise(options))

/** Of the model's own distribution. */
export const logProbabilities = (options: Options<'logProbabilities'>): ReturnType<Addon['logProbabilities']> =>
  guarded(() => addon().logProbabilities(options))

/** A whole forward pass, on the calling thread: logits of every position and, if asked for, every checkpoint. */
export const evaluate = (options: Options<'evaluate'>): Evaluation => guarded(() => addon().evaluate(options))

/** One op of the backend, `exact` unless asked for; `variant` is that of the CPU's kernels, by default what the machine would get. */
export const runOp = (options: Options<'runOp'>): Float32Array => guarded(() => addon().runOp(options))

/** The variants of the CPU's kernels that this build has and this machine can run, best last. */
export const cpuVariants = (): string[] => addon().cpuVariants()
