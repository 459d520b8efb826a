import { ATTENTION_MISTAKES } from './attention.ts'
import { CACHE_ROW_MISTAKES } from './cache-rows.ts'
import { EMBEDDING_MISTAKES } from './embedding.ts'
import { FEED_FORWARD_MISTAKES } from './feed-forward.ts'
import { LINEAR_MISTAKES } from './linear.ts'
import type { Mistake } from './mistake.ts'
import { NORM_MISTAKES } from './norm.ts'
import { QUANTISATION_MISTAKES } from './quantisation.ts'
import { RESIDUAL_MISTAKES } from './residual.ts'
import { ROPE_MISTAKES } from './rope.ts'
import { ROW_MISTAKES } from './rows.ts'

/** Every kind of mistake that can be planted and recognised. For the same op the simpler stand first: they win ties. */
export const MISTAKES: readonly Mistake[] = [
  ...EMBEDDING_MISTAKES,
  ...NORM_MISTAKES,
  ...LINEAR_MISTAKES,
  ...ROPE_MISTAKES,
  ...ATTENTION_MISTAKES,
  ...CACHE_ROW_MISTAKES,
  ...FEED_FORWARD_MISTAKES,
  ...RESIDUAL_MISTAKES,
  ...QUANTISATION_MISTAKES,
  ...ROW_MISTAKES,
]
