import { EXIT, type ExitCode } from './exit-codes.ts'

interface ErrorKind {
  /** What a request that meets this error before its headers is answered with. */
  readonly httpStatus: number
  /** Whether the same call may succeed later, unchanged. */
  readonly retriable: boolean
  /** What a command line that ends with this error exits with. */
  readonly exitCode: ExitCode
}

const kind = (httpStatus: number, retriable: boolean, exitCode: ExitCode): ErrorKind => ({
  httpStatus,
  retriable,
  exitCode,
})

/** Every error that Plumbline can name, with what it becomes over HTTP and on a command line. */
export const ERRORS = {
  // The request
  INVALID_REQUEST: kind(400, false, EXIT.usage),
  CONTEXT_OVERFLOW: kind(400, false, EXIT.usage),
  UNAUTHORIZED: kind(401, false, EXIT.couldNotRun),
  NOT_FOUND: kind(404, false, EXIT.couldNotRun),
  METHOD_NOT_ALLOWED: kind(405, false, EXIT.couldNotRun),
  JOB_ALREADY_ACTIVE: kind(409, false, EXIT.couldNotRun),
  REQUEST_TIMEOUT: kind(408, true, EXIT.couldNotRun),
  PAYLOAD_TOO_LARGE: kind(413, false, EXIT.couldNotRun),
  URI_TOO_LONG: kind(414, false, EXIT.couldNotRun),
  UNSUPPORTED_MEDIA_TYPE: kind(415, false, EXIT.couldNotRun),
  HEADERS_TOO_LARGE: kind(431, false, EXIT.couldNotRun),
  // The job
  CANCELLED: kind(499, false, EXIT.couldNotRun),
  INFERENCE_TIMEOUT: kind(504, true, EXIT.couldNotRun),
  OVERLOADED: kind(503, true, EXIT.couldNotRun),
  LOADING: kind(503, true, EXIT.couldNotRun),
  SHUTTING_DOWN: kind(503, true, EXIT.couldNotRun),
  // The engine
  ENGINE_CRASHED: kind(503, true, EXIT.couldNotRun),
  ENGINE_STALLED: kind(503, true, EXIT.couldNotRun),
  ENGINE_BUSY: kind(503, true, EXIT.couldNotRun),
  ENGINE_DISPOSED: kind(500, false, EXIT.couldNotRun),
  ADDON_UNAVAILABLE: kind(500, false, EXIT.couldNotRun),
  DEVICE_UNAVAILABLE: kind(500, false, EXIT.couldNotRun),
  CUDA_ERROR: kind(500, true, EXIT.couldNotRun),
  INSUFFICIENT_VRAM: kind(500, false, EXIT.couldNotRun),
  VRAM_OOM: kind(500, true, EXIT.couldNotRun),
  OUT_OF_MEMORY: kind(500, true, EXIT.couldNotRun),
  // The model and its file
  MODEL_NOT_FOUND: kind(500, false, EXIT.couldNotRun),
  MODEL_LOAD_FAILED: kind(500, false, EXIT.couldNotRun),
  INVALID_GGUF: kind(500, false, EXIT.couldNotRun),
  UNSUPPORTED_TENSOR_TYPE: kind(500, false, EXIT.couldNotRun),
  UNSUPPORTED_ARCHITECTURE: kind(500, false, EXIT.couldNotRun),
  UNSUPPORTED_TOKENIZER: kind(500, false, EXIT.couldNotRun),
  CHECKSUM_MISMATCH: kind(500, false, EXIT.untrusted),
  DOWNLOAD_FAILED: kind(500, true, EXIT.couldNotRun),
  // What a forward pass left behind
  /** Not there, or nothing that is known to hold recorded values. */
  UNREADABLE_RECORDING: kind(500, false, EXIT.couldNotRun),
  /** Recognised, and damaged or lying about what it holds. */
  INVALID_RECORDING: kind(500, false, EXIT.untrusted),
  /** Recordings of different computations, set against each other. */
  NOT_COMPARABLE: kind(500, false, EXIT.notComparable),
  /** A worker that was started to be looked at did not do what it was started for. */
  WORKER_FAILED: kind(500, true, EXIT.couldNotRun),
  // The command line
  INVALID_OPTION: kind(500, false, EXIT.usage),
  INTERNAL: kind(500, false, EXIT.couldNotRun),
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERRORS

/** One thing wrong with one field of a request. `message` never repeats what the field held. */
export interface FieldError {
  readonly field: string
  readonly constraint: string
  readonly message: string
}

export interface ErrorBody {
  readonly code: ErrorCode
  readonly message: string
  readonly retriable: boolean
  readonly errors?: readonly FieldError[]
}

/** The one error class that crosses package borders: created where the fact is known, rendered where it leaves. */
export class PlumblineError extends Error {
  override readonly name = 'PlumblineError'
  readonly code: ErrorCode
  /** The facts behind the message, for logs and for programs: never a prompt, never an answer. */
  readonly fields: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, fields: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.fields = fields
  }

  get retriable(): boolean {
    return ERRORS[this.code].retriable
  }

  /** The body of an HTTP answer and of an SSE `error` event. */
  toBody(): ErrorBody {
    const body = { code: this.code, message: this.message, retriable: this.retriable }
    return this instanceof InvalidRequestError ? { ...body, errors: this.errors } : body
  }

  /** Any thrown value as a PlumblineError; what is not one already is INTERNAL. */
  static from(thrown: unknown): PlumblineError {
    if (thrown instanceof PlumblineError) return thrown
    return new PlumblineError('INTERNAL', thrown instanceof Error ? thrown.message : String(thrown), {}, thrown)
  }
}

/** A request with something wrong in it: all of it at once. */
export class InvalidRequestError extends PlumblineError {
  readonly errors: readonly FieldError[]

  constructor(errors: readonly FieldError[]) {
    super('INVALID_REQUEST', errors.map((error) => `${error.field}: ${error.message}`).join('; '))
    this.errors = errors
  }
}
