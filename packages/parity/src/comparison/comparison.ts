import type { ExitCode, LayerCheckpoint } from '@plumbline/protocol'
import type { Fault, FormatName, Place, Recording, RunIdentity } from '../recording/recording.ts'

/**
 * What `compare` found, whole: every report (line, JSON, CSV, Markdown, HTML, repro bundle) is made from this and from nothing else
 * but the recordings' own values. Made from the same input it is the same, byte for byte: no times, no paths but those given.
 */
export interface Comparison {
  readonly verdict: Verdict
  readonly profile: ProfileName
  /** Why that profile: what the sides say of their arithmetic, or that it was asked for. */
  readonly profileReason: string
  readonly candidate: Side
  readonly reference: Side
  readonly alignment: Alignment
  /** What of the sides' own soundness could not be checked: nothing that equality rests on. */
  readonly unchecked: readonly string[]
  /** In the order of computation; empty where nothing may be compared. */
  readonly checkpoints: readonly ComparedCheckpoint[]
  /** How much of what either side computed both sides hold, by values: 1 is everything. */
  readonly coverage: number
  readonly divergence?: Divergence
  readonly greedy?: GreedyFinding
}

/** A comparison with the recordings that it is of. */
export interface Judged {
  readonly comparison: Comparison
  readonly candidate: Recording
  readonly reference: Recording
}

/**
 * `partial`: nothing differs in what both sides hold, which is too little to call them equal. `not-shown`: they differ by no more than noise
 * so coarse that mistakes would be lost in it, and their ops could not all be replayed.
 */
export type Outcome =
  | 'same'
  | 'within-tolerance'
  | 'partial'
  | 'not-shown'
  | 'diverged'
  | 'not-comparable'
  | 'untrusted'

export interface Verdict {
  readonly outcome: Outcome
  readonly exitCode: ExitCode
  /** One line that a tired person understands. */
  readonly line: string
  /** Of `not-shown`: a mistake of less NMSE would look the same. */
  readonly blindBelow?: number
}

export const PROFILE_NAMES = ['bit-exact', 'float32', 'float16', 'quantised-activations'] as const
export type ProfileName = (typeof PROFILE_NAMES)[number]

export interface Side {
  readonly path: string
  readonly format: FormatName
  readonly run: string
  readonly identity: RunIdentity
  readonly faults: readonly Fault[]
  /** Why this side is not fit to be compared; empty where it is. */
  readonly unfit: readonly UnfitFinding[]
}

/** One reason to distrust a side, seen in it alone. */
export interface UnfitFinding extends Place {
  /** e.g. non-finite, magnitude, exact-zeros, constant-row, repeated-row, drift, pointer-like, dtype-like, denormals */
  readonly kind: string
  readonly message: string
  readonly checkpoint: string
  readonly position: number
}

export interface Alignment {
  /** Why no number may be formed; empty where the sides are comparable. */
  readonly refusals: readonly Refusal[]
  /** What only one side states, or neither: not shown to be equal. */
  readonly unverified: readonly string[]
  /** Named changes of layout that one side went through, e.g. `halves-to-neighbours(attn_q)`. */
  readonly mappings: readonly string[]
  readonly promptTokenIds: readonly number[]
  /** Checkpoints that only one side has. */
  readonly onlyCandidate: readonly string[]
  readonly onlyReference: readonly string[]
}

export interface Refusal {
  /** e.g. prompt-token-ids, model, architecture, tokenizer, chat-template, positions, no-token-ids, nothing-in-common */
  readonly kind: string
  readonly message: string
  /** For people: e.g. both id sequences side by side, decoded, the first difference marked. */
  readonly details?: readonly string[]
}

/** Metrics of one checkpoint, a column each, a row for each compared position. */
export interface ComparedCheckpoint {
  readonly name: string
  /** null for what belongs to no layer. */
  readonly layer: number | null
  readonly op: Op
  readonly width: number
  /** How many of `width` values were compared at each position. */
  readonly compared: number
  readonly positions: Uint32Array
  readonly metrics: Readonly<Record<MetricName, Float64Array>>
  /** Only for logits. */
  readonly logits?: Readonly<Record<LogitMetricName, Float64Array>>
  /** The bound on NMSE that applied, by the profile's ladder. */
  readonly tolerance: number
  /** Indices into `positions` that exceed it, or what their own inputs should give by more than they may. */
  readonly exceeding: Uint32Array
  /** Where the candidate's op was replayed on its own recorded inputs, rounded as it rounds them. */
  readonly local?: LocalErrors
}

/** How far what an op gave is from what it gives when replayed on its own inputs, and how far it may be; a row a position, NaN where it could not be replayed. */
export interface LocalErrors {
  readonly nmse: Float64Array
  readonly tolerances: Float64Array
}

export type Op = LayerCheckpoint | 'token_embd' | 'output_norm' | 'logits'

export const METRIC_NAMES = ['max_abs', 'mean_abs', 'relative_l2', 'nmse', 'cosine', 'max_ulp'] as const
export type MetricName = (typeof METRIC_NAMES)[number]

/** `kl`: of the candidate's distribution from the reference's, in nats. `rank`: of the reference's first token in the candidate, from 0. */
export const LOGIT_METRIC_NAMES = ['kl', 'top1', 'top5', 'rank'] as const
export type LogitMetricName = (typeof LOGIT_METRIC_NAMES)[number]

/** The first checkpoint, in the order of computation and then of positions, that exceeds its tolerance. */
export interface Divergence {
  readonly checkpoint: string
  readonly layer: number | null
  readonly op: Op
  readonly position: number
  readonly phase?: 'prefill' | 'decode'
  readonly metrics: Readonly<Record<MetricName, number>>
  readonly tolerance: number
  /**
   * `local`: fed the reference's own inputs, the op still differs. `inherited`: what it was given already differed, and from that it
   * computed rightly. `unknown`: the inputs or the model are not at hand.
   */
  readonly origin: 'local' | 'inherited' | 'unknown'
  /** Of a local one: whose op does not give what its own inputs should give. `both`: they are equal, and wrong by the model file. */
  readonly side?: 'candidate' | 'reference' | 'both'
  readonly cause?: Cause
  /** Where the candidate's op does not give what its own inputs should: by how much, and how much it might. */
  readonly local?: { readonly nmse: number; readonly tolerance: number }
}

export interface Cause {
  /** Of the list of mistakes, e.g. rope-pairing. */
  readonly mistake: string
  readonly message: string
  /** NMSE between the candidate's output and what the mistake makes of the reference's inputs. */
  readonly residual: number
  readonly confidence: 'certain' | 'likely' | 'possible'
  /** Other mistakes that explain it too, best first. */
  readonly alternatives: readonly string[]
}

/** Where greedy continuations part, and what it means. */
export interface GreedyFinding {
  readonly compared: number
  /** Index into the continuation; undefined where all compared tokens are equal. */
  readonly parted?: number
  /** The reference's lead of its own token there. */
  readonly gap?: number
  /** The noise that the gap is set against. */
  readonly noise?: number
  readonly kind: 'same' | 'tie' | 'drift' | 'bug'
  /** After a tie: the last position that was compared by giving the reference the candidate's tokens. */
  readonly forcedUntil?: number
  readonly message: string
}
