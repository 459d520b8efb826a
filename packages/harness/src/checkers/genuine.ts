import type { Check } from './check.ts'
import { eventOrderCheck } from './event-order.ts'
import { healthCheck } from './health.ts'
import { memoryCheck } from './memory.ts'
import { metricsCheck } from './metrics.ts'
import { modelFileCheck } from './model-file.ts'
import { modelSha256Check } from './model-sha256.ts'
import { noEchoCheck } from './no-echo.ts'
import { processCheck } from './process.ts'
import { promptTokensCheck } from './prompt-tokens.ts'
import { replayCheck } from './replay.ts'
import { requestIdentityCheck } from './request-identity.ts'
import { sameSeedCheck } from './same-seed.ts'
import { sseGrammarCheck } from './sse-grammar.ts'
import { streamProbeCheck } from './stream-probe.ts'
import { textCheck } from './text.ts'
import { timingCheck } from './timing.ts'
import { tokenEventsCheck } from './token-events.ts'

/** Did this worker, with this model, make this text just now? */
export const GENUINE_CHECKS: readonly Check[] = [
  healthCheck,
  modelSha256Check,
  modelFileCheck,
  processCheck,
  memoryCheck,
  sseGrammarCheck,
  eventOrderCheck,
  requestIdentityCheck,
  promptTokensCheck,
  tokenEventsCheck,
  textCheck,
  replayCheck,
  sameSeedCheck,
  timingCheck,
  streamProbeCheck,
  metricsCheck,
  noEchoCheck,
]
