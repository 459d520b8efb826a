import { ERRORS, type PlumblineError, traceNumberSchema } from '@plumbline/protocol'
import { z } from 'zod'
import {
  type ComparedCheckpoint,
  type Comparison,
  LOGIT_METRIC_NAMES,
  METRIC_NAMES,
  PROFILE_NAMES,
  type Side,
} from '../comparison/comparison.ts'
import {
  documentHead,
  documentSchema,
  faultSchema,
  faultsJson,
  placeShape,
  refusalOf,
  refusalSchema,
  snakeCase,
} from './json-document.ts'
import { worstRow } from './summary.ts'

const text = z.string()
const count = z.int().min(0)
const metrics = z.strictObject(
  Object.fromEntries(METRIC_NAMES.map((name) => [name, traceNumberSchema])) as Record<
    (typeof METRIC_NAMES)[number],
    typeof traceNumberSchema
  >,
)
const logitMetrics = z.strictObject(
  Object.fromEntries(LOGIT_METRIC_NAMES.map((name) => [name, traceNumberSchema])) as Record<
    (typeof LOGIT_METRIC_NAMES)[number],
    typeof traceNumberSchema
  >,
)

const sideSchema = z.strictObject({
  path: text,
  format: text,
  run: text,
  identity: z.record(text, z.unknown()),
  faults: z.array(faultSchema),
  unfit: z.array(z.strictObject({ kind: text, message: text, checkpoint: text, position: count, ...placeShape })),
})

const comparisonSchema = z.strictObject({
  verdict: z.strictObject({
    outcome: z.enum(['same', 'within-tolerance', 'partial', 'not-shown', 'diverged', 'not-comparable', 'untrusted']),
    exit_code: z.int(),
    line: text,
    /** Of `not-shown`: a mistake of less NMSE would look the same. */
    blind_below: z.number().optional(),
  }),
  profile: z.enum(PROFILE_NAMES),
  profile_reason: text,
  candidate: sideSchema,
  reference: sideSchema,
  alignment: z.strictObject({
    refusals: z.array(z.strictObject({ kind: text, message: text, details: z.array(text).optional() })),
    unverified: z.array(text),
    mappings: z.array(text),
    prompt_token_ids: z.array(count),
    only_candidate: z.array(text),
    only_reference: z.array(text),
  }),
  unchecked: z.array(text),
  coverage: z.number(),
  /** One a checkpoint, in the order of computation, with its worst row; `--csv` has every row. */
  checkpoints: z.array(
    z.strictObject({
      name: text,
      layer: count.nullable(),
      op: text,
      width: count,
      compared: count,
      positions: count,
      exceeding: count,
      tolerance: z.number(),
      worst: z.strictObject({ position: count, metrics, logits: logitMetrics.optional() }),
    }),
  ),
  divergence: z
    .strictObject({
      checkpoint: text,
      layer: count.nullable(),
      op: text,
      position: count,
      phase: z.enum(['prefill', 'decode']).optional(),
      metrics,
      tolerance: z.number(),
      origin: z.enum(['local', 'inherited', 'unknown']),
      side: z.enum(['candidate', 'reference', 'both']).optional(),
      /** Where the candidate's op does not give what its own inputs should: by how much, and how much a right one may. */
      local: z.strictObject({ nmse: traceNumberSchema, tolerance: z.number() }).optional(),
      cause: z
        .strictObject({
          mistake: text,
          message: text,
          residual: traceNumberSchema,
          confidence: z.enum(['certain', 'likely', 'possible']),
          alternatives: z.array(text),
        })
        .optional(),
    })
    .optional(),
  greedy: z
    .strictObject({
      compared: count,
      parted: count.optional(),
      gap: z.number().optional(),
      noise: z.number().optional(),
      kind: z.enum(['same', 'tie', 'drift', 'bug']),
      forced_until: count.optional(),
      message: text,
    })
    .optional(),
})

/** What `compare --json` and `run --json` print. */
export const jsonReportSchema = documentSchema('compare', {
  /** Empty where there is a `refusal`. */
  comparisons: z.array(comparisonSchema),
  /** Why nothing was compared. */
  refusal: refusalSchema.optional(),
})
export type JsonReport = z.output<typeof jsonReportSchema>

export function jsonReport(comparisons: readonly Comparison[], exitCode: number): JsonReport {
  return { ...documentHead('compare', exitCode), comparisons: comparisons.map(toJson) }
}

export function jsonRefusal(error: PlumblineError): JsonReport {
  return { ...documentHead('compare', ERRORS[error.code].exitCode), comparisons: [], refusal: refusalOf(error) }
}

type ComparisonJson = JsonReport['comparisons'][number]

function toJson(comparison: Comparison): ComparisonJson {
  const { verdict, profile, profileReason, candidate, reference, alignment, coverage, divergence, greedy } = comparison
  return {
    verdict: snakeCase(verdict) as ComparisonJson['verdict'],
    profile,
    profile_reason: profileReason,
    candidate: sideJson(candidate),
    reference: sideJson(reference),
    alignment: {
      refusals: alignment.refusals.map(({ kind, message, details }) => ({
        kind,
        message,
        ...(details !== undefined && { details: [...details] }),
      })),
      unverified: [...alignment.unverified],
      mappings: [...alignment.mappings],
      prompt_token_ids: [...alignment.promptTokenIds],
      only_candidate: [...alignment.onlyCandidate],
      only_reference: [...alignment.onlyReference],
    },
    unchecked: [...comparison.unchecked],
    coverage,
    checkpoints: comparison.checkpoints.map(checkpointJson),
    ...(divergence !== undefined && {
      divergence: {
        ...divergence,
        metrics: numbersJson(divergence.metrics),
        ...(divergence.local !== undefined && {
          local: { nmse: numberJson(divergence.local.nmse), tolerance: divergence.local.tolerance },
        }),
        ...(divergence.cause !== undefined && {
          cause: {
            ...divergence.cause,
            residual: numberJson(divergence.cause.residual),
            alternatives: [...divergence.cause.alternatives],
          },
        }),
      } as NonNullable<ComparisonJson['divergence']>,
    }),
    ...(greedy !== undefined && { greedy: snakeCase(greedy) as ComparisonJson['greedy'] }),
  }
}

function sideJson({ path, format, run, identity, faults, unfit }: Side): ComparisonJson['candidate'] {
  return {
    path,
    format,
    run,
    identity: snakeCase(identity),
    faults: faultsJson(faults),
    unfit: unfit.map((finding) => snakeCase(finding)) as ComparisonJson['candidate']['unfit'],
  }
}

function checkpointJson(checkpoint: ComparedCheckpoint): ComparisonJson['checkpoints'][number] {
  const { name, layer, op, width, compared, positions, exceeding, tolerance, logits } = checkpoint
  const row = worstRow(checkpoint)
  const rowOf = (columns: Readonly<Record<string, Float64Array>>) =>
    numbersJson(Object.fromEntries(Object.entries(columns).map(([metric, values]) => [metric, values[row]!])))
  return {
    name,
    layer,
    op,
    width,
    compared,
    positions: positions.length,
    exceeding: exceeding.length,
    tolerance,
    worst: {
      position: positions[row]!,
      metrics: rowOf(checkpoint.metrics) as z.output<typeof metrics>,
      ...(logits !== undefined && { logits: rowOf(logits) as z.output<typeof logitMetrics> }),
    },
  }
}

const numbersJson = <Name extends string>(numbers: Readonly<Record<Name, number>>) =>
  Object.fromEntries(Object.entries<number>(numbers).map(([name, value]) => [name, numberJson(value)])) as Record<
    Name,
    z.output<typeof traceNumberSchema>
  >

/** JSON has no non-finite numbers, and null would be a lie. */
function numberJson(value: number): z.output<typeof traceNumberSchema> {
  return Number.isFinite(value) ? value : (String(value) as 'NaN' | 'Infinity' | '-Infinity')
}
