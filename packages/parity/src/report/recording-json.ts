import { z } from 'zod'
import { WRITTEN_FORMATS } from '../formats/write/write-recording.ts'
import { FORMAT_NAMES } from '../recording/recording.ts'
import { documentSchema, faultSchema } from './json-document.ts'

const count = z.int().min(0)
const recording = {
  path: z.string(),
  faults: z.array(faultSchema),
  /** What its format could guard, and this recording does not. */
  unguarded: z.array(z.string()),
}

/** What `inspect --json` prints. */
export const inspectJsonSchema = documentSchema('inspect', {
  ...recording,
  format: z.enum(FORMAT_NAMES),
  runs: z.array(
    z.strictObject({
      id: z.string(),
      identity: z.record(z.string(), z.unknown()),
      greedy: z.strictObject({ token_ids: z.array(count), gaps: z.array(z.number()).optional() }).optional(),
      printed_decimals: count.optional(),
      checkpoints: z.array(
        z.strictObject({
          name: z.string(),
          /** 0 where it is not known. */
          width: count,
          dtypes: z.array(z.enum(['F64', 'F32', 'F16', 'BF16'])),
          /** First and last of each stretch. */
          positions: z.array(z.tuple([count, count])),
          /** Of the values of those positions; null where the width is not known. */
          coverage: z.number().nullable(),
        }),
      ),
    }),
  ),
})

/** What `convert --json` prints. */
export const convertJsonSchema = documentSchema('convert', {
  path: z.string(),
  format: z.enum(FORMAT_NAMES),
  out: z.string(),
  to: z.enum(WRITTEN_FORMATS),
  runs: count,
  /** Of `out`. */
  bytes: count,
})

const floors = {
  pairs: count,
  /** By op, then by `layer_steps`. */
  nmse: z.record(z.string(), z.array(z.number())),
  greedy_noise: z.number(),
}

/** What `noise-floor` prints, which has no other form. */
export const noiseFloorJsonSchema = documentSchema('noise-floor', {
  layer_steps: z.array(count),
  profiles: z.record(
    z.string(),
    z.strictObject({ ...floors, kinds: z.record(z.string(), z.strictObject(floors)).optional() }),
  ),
})

/** What `query --json` prints. */
export const queryJsonSchema = documentSchema('query', {
  columns: z.array(z.string()),
  /** By column; integers that a float64 may not hold, and dates, are strings. */
  rows: z.array(z.record(z.string(), z.unknown())),
})

/** What `validate --json` prints. */
export const validateJsonSchema = documentSchema('validate', {
  ...recording,
  /** Not there where it could not be told. */
  format: z.enum(FORMAT_NAMES).optional(),
})
