import { z } from 'zod'
import type { Greedy, RunIdentity } from '../recording/recording.ts'

const tokenIds = z.array(z.int().min(0))
const text = z.string().optional()

/** RunIdentity as JSON, as `convert` writes it. */
export const identitySchema = z.strictObject({
  engine: text,
  engineVersion: text,
  modelSha256: text,
  modelName: text,
  architecture: text,
  weightsFingerprint: text,
  layers: z.int().min(1).optional(),
  embeddingLength: z.int().min(1).optional(),
  vocabSize: z.int().min(1).optional(),
  tokenizerSha256: text,
  chatTemplateSha256: text,
  promptTokenIds: tokenIds.optional(),
  generatedTokenIds: tokenIds.optional(),
  precision: text,
  backend: text,
  device: text,
  activations: text,
  kvCache: text,
  ropeOrder: z.enum(['gguf', 'halves']).optional(),
  notObserved: z.array(z.string()).optional(),
})

export const runHeaderSchema = z.object({
  id: z.string(),
  identity: identitySchema,
  greedy: z.object({ tokenIds, gaps: z.array(z.number()).optional() }).optional(),
  printedDecimals: z.int().min(0).optional(),
})

/** What is undefined in JSON is not there. */
export function runHeader({ id, identity, greedy, printedDecimals }: z.output<typeof runHeaderSchema>): {
  id: string
  identity: RunIdentity
  greedy?: Greedy
  printedDecimals?: number
} {
  return {
    id,
    identity: withoutUndefined(identity) as RunIdentity,
    ...(greedy && { greedy: withoutUndefined(greedy) as Greedy }),
    ...(printedDecimals !== undefined && { printedDecimals }),
  }
}

function withoutUndefined(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}
