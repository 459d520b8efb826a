/**
 * What a forward pass left behind, whoever wrote it and in whatever format: which runs there were, what each says about itself, and
 * values by checkpoint and position. Readers (formats/) make these; alignment, fitness, metrics and verdict know nothing else.
 *
 * A recording may be far larger than memory, so values are read a slab at a time (of a large one some rows at a time), and what is
 * kept of a slab is a few numbers.
 */
export interface Recording {
  /** The path that was opened. */
  readonly path: string
  readonly format: FormatName
  /** At least one, or opening fails. Repeated prompts, restarts and interleaved requests in one file are runs of their own. */
  readonly runs: readonly RecordedRun[]
  /** What is wrong with the files themselves. A recording with faults can be looked at; it is never fit to be compared. */
  readonly faults: readonly Fault[]
  /** What its format has to guard it by, and this one lacks. */
  readonly unguarded?: readonly string[]
  close(): void
}

export const FORMAT_NAMES = [
  'plumbline-trace',
  'transformers-safetensors',
  'llama-cpp-json',
  'npy',
  'npz',
  'raw-f32',
  'llama-results-gguf',
  'llama-debug-text',
  'checkpoint-jsonl',
  'team-jsonl',
  'jsonl',
  'parquet',
  /** Made in this process: the oracle's, and tests'. */
  'memory',
] as const
export type FormatName = (typeof FORMAT_NAMES)[number]

export type FaultKind =
  | 'truncated'
  | 'checksum'
  | 'malformed'
  | 'wrong-count'
  | 'duplicate'
  | 'non-finite'
  | 'statistics'
  /** A worker left another trace than the one that it was asked for. */
  | 'not-asked-for'

/** Something wrong at one place of one file. */
export interface Fault {
  readonly kind: FaultKind
  readonly message: string
  readonly file: string
  /** From 1. */
  readonly line?: number
  readonly byteOffset?: number
}

export interface RecordedRun {
  /** Unique in its recording. */
  readonly id: string
  readonly identity: RunIdentity
  /** By full name, as in `checkpointNames` of protocol, in the order of computation where the file tells it. */
  readonly checkpoints: ReadonlyMap<string, Checkpoint>
  /** What was sampled greedily after the prompt, and by how much each choice led, where that was recorded. */
  readonly greedy?: Greedy
  /** Values were printed with so many decimals and are no nearer to what was computed than half of the last one. */
  readonly printedDecimals?: number
}

export interface Greedy {
  readonly tokenIds: readonly number[]
  /** First logit minus second, one a token. */
  readonly gaps?: readonly number[]
}

/** What the files state. What they leave out is undefined, never guessed. */
export interface RunIdentity {
  readonly engine?: string
  readonly engineVersion?: string
  readonly modelSha256?: string
  readonly modelName?: string
  readonly architecture?: string
  /** Over names, shapes and dequantised values of all weights: the same for the same model in another container. */
  readonly weightsFingerprint?: string
  readonly layers?: number
  readonly embeddingLength?: number
  readonly vocabSize?: number
  readonly tokenizerSha256?: string
  readonly chatTemplateSha256?: string
  readonly promptTokenIds?: readonly number[]
  readonly generatedTokenIds?: readonly number[]
  readonly precision?: string
  readonly backend?: string
  readonly device?: string
  /** Of activations: what the arithmetic was done in, e.g. F32, F64, Q8. */
  readonly activations?: string
  readonly kvCache?: string
  /** How the rows of q and k are ordered within a head, where it is not the GGUF's own order. */
  readonly ropeOrder?: 'gguf' | 'halves'
  /** Checkpoints that the engine says it cannot see. */
  readonly notObserved?: readonly string[]
}

/**
 * All that was recorded of one checkpoint of one run: slabs in the order in which they were written. They are made when asked for,
 * since a long run has millions: a reader keeps them as columns of numbers.
 */
export interface Checkpoint {
  readonly name: string
  /** Of a full row: how many values the engine computed for one position; 0 where only some columns are there and nothing tells. */
  readonly width: number
  /** Where each slab is [heads, positions, dimensions]: how many heads. Such a slab is read whole; alignment turns it around. */
  readonly headsFirst?: number
  readonly slabCount: number
  slab(index: number): Slab
}

/** The type that the values had in the engine or in the file, whichever is coarser. */
export type RecordedDtype = 'F64' | 'F32' | 'F16' | 'BF16'

/** Consecutive positions of one checkpoint, written at once. */
export interface Slab {
  readonly phase?: 'prefill' | 'decode'
  /** Absolute position of the first row. */
  readonly pos: number
  /** Number of rows. */
  readonly count: number
  readonly dtype: RecordedDtype
  /** Which columns of a row are there: all, the first so many, or for each row the ids in `columns`. */
  readonly coverage: Coverage
  /** How many records of the file came before: what drifts with time rather than position is seen by it. */
  readonly order: number
  readonly place: Place
  /**
   * Rows [first, first + rows) with coverage.perRow values each, row-major. A fresh array or one that the next read of this
   * recording overwrites: use it before reading on. Throws a PlumblineError where the file cannot be read.
   */
  read(first?: number, rows?: number): Values
}

export type Values = Float32Array | Float64Array

export type Coverage =
  | { readonly kind: 'all'; readonly perRow: number }
  | { readonly kind: 'prefix'; readonly perRow: number }
  /** `columns(row)`: the column ids of that row's values, e.g. of the largest logits. */
  | { readonly kind: 'columns'; readonly perRow: number; readonly columns: (row: number) => ArrayLike<number> }

/** Where in the files a slab stands, for whoever wants to look. */
export interface Place {
  readonly file: string
  readonly line?: number
  readonly byteOffset?: number
}
