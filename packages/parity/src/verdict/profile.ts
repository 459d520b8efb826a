import { PROFILE_NAMES, type ProfileName } from '../comparison/comparison.ts'
import type { RecordedRun, RunIdentity } from '../recording/recording.ts'

/** A profile, and why that one. */
export interface ProfileChoice {
  readonly profile: ProfileName
  readonly reason: string
}

/** The profile that fits what the sides say of their arithmetic: that of the coarser side. */
export function statedProfile(pair: {
  readonly candidate?: RecordedRun
  readonly reference?: RecordedRun
}): ProfileChoice {
  const sides = Object.entries(pair).map(([who, run]) => ({ who, run }))
  for (const { who, run } of sides) {
    const reason = quantised(run.identity)
    if (reason !== undefined) return { profile: 'quantised-activations', reason: `the ${who} ${reason}` }
  }
  for (const { who, run } of sides) {
    const reason = halfFloat(run)
    if (reason !== undefined) return { profile: 'float16', reason: `the ${who} ${reason}` }
  }
  return { profile: 'float32', reason: 'neither side says that it computes in less' }
}

/** The coarser of two, the first where they are as coarse. */
export function coarser(a: ProfileChoice, b: ProfileChoice): ProfileChoice {
  return PROFILE_NAMES.indexOf(b.profile) > PROFILE_NAMES.indexOf(a.profile) ? b : a
}

function quantised({ activations, engine, modelName, kvCache }: RunIdentity): string | undefined {
  if (activations !== undefined) {
    if (/^(q|iq|i8|int)/i.test(activations)) return `quantises activations (${activations})`
    // 8 bits of mantissa are as coarse as 8-bit activations.
    return isBrainFloat(activations) ? `computes in ${activations}, as coarse as quantised activations` : undefined
  }
  if (kvCache !== undefined && /^q/i.test(kvCache)) return `has a quantised KV cache (${kvCache})`
  // llama.cpp quantises activations to multiply them with quantised weights.
  if (engine === 'llama.cpp' && !/f32|f16/i.test(modelName ?? '')) return 'is llama.cpp, which quantises activations'
  return undefined
}

function halfFloat({ identity, checkpoints }: RecordedRun): string | undefined {
  const { activations, kvCache, engine } = identity
  if (activations !== undefined && isHalf(activations)) return `computes in ${activations}`
  if (kvCache !== undefined && isHalf(kvCache)) return `has its KV cache in ${kvCache}`
  if (engine === 'llama.cpp' && kvCache === undefined)
    return 'is llama.cpp, whose KV cache is F16 unless told otherwise'
  for (const checkpoint of checkpoints.values()) {
    if (checkpoint.slabCount > 0 && isHalf(checkpoint.slab(0).dtype)) return `holds ${checkpoint.slab(0).dtype} values`
  }
  return undefined
}

/** Whether a run says that its keys and values, or all that it computes, are in less than float32. */
export function hasNarrowCache({ engine, kvCache, activations = '' }: RunIdentity): boolean {
  if (kvCache === undefined) return isHalf(activations) || engine === 'llama.cpp'
  return isHalf(kvCache) || /^q/i.test(kvCache)
}

const isBrainFloat = (dtype: string) => /^(bf16|bfloat16)$/i.test(dtype)
const isHalf = (dtype: string) => /^(f16|float16|fp16|half)$/i.test(dtype) || isBrainFloat(dtype)
