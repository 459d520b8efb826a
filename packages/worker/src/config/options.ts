import { randomUUID } from 'node:crypto'
import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'

/** One option of the command line: its name, what it may be, and what it is when nobody says. */
interface Option<Value> {
  readonly flag: string
  /** What stands for the value in --help. */
  readonly placeholder: string
  readonly help: string
  /** What the value must be, for error messages: "must be …". */
  readonly must: string
  /** The value, or undefined when the text is not what it must be; a file that cannot be read is thrown. */
  readonly parse: (text: string) => Value | undefined
  readonly fallback: () => Value
  /** Shown by --print-config only as set or not set. */
  readonly secret?: true
}

const option = <Value>(definition: Option<Value>) => definition

const oneOf = <Choice extends string>(...choices: Choice[]) => ({
  must: `must be ${choices.join(', ')}`,
  parse: (text: string) => choices.find((choice) => choice === text),
})

const integer = (minimum: number, maximum: number) => ({
  must: `must be an integer from ${minimum} to ${maximum}`,
  parse: (text: string) => {
    const value = Number(text)
    return /^\d{1,15}$/.test(text) && value >= minimum && value <= maximum ? value : undefined
  },
})

const seconds = (minimum: number, maximum: number) => ({
  must: `must be a number of seconds from ${minimum} to ${maximum}`,
  parse: (text: string) => {
    const value = Number(text)
    return /^\d+(\.\d+)?$/.test(text) && value >= minimum && value <= maximum ? value : undefined
  },
})

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const HOST_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i
/** Graphic ASCII, so that it fits a header as it is. */
const TOKEN = /^[\x21-\x7e]{8,512}$/

export const OPTIONS = {
  model: option<string | undefined>({
    flag: '--model',
    placeholder: 'PATH|NAME',
    help: 'a GGUF file, or the name of a model (see `plumbline-worker models`)',
    must: 'must be the path of a GGUF file or the name of a model',
    parse: (text) => (text.length > 0 ? text : undefined),
    fallback: () => undefined,
  }),
  workerId: option<string>({
    flag: '--worker-id',
    placeholder: 'UUID',
    help: 'what this worker calls itself (default: made up)',
    must: 'must be a UUID',
    parse: (text) => (UUID.test(text) ? text.toLowerCase() : undefined),
    fallback: () => randomUUID(),
  }),
  port: option<number>({
    flag: '--port',
    placeholder: 'N',
    help: 'TCP port; 0 = any free one',
    ...integer(0, 65_535),
    fallback: () => 8080,
  }),
  host: option<string>({
    flag: '--host',
    placeholder: 'HOST',
    help: 'address to listen at; not a loopback address: needs --api-token-file',
    must: 'must be an IP address or a host name',
    parse: (text) => (isIP(text) !== 0 || HOST_NAME.test(text) ? text : undefined),
    fallback: () => '127.0.0.1',
  }),
  device: option<string>({
    flag: '--device',
    placeholder: 'auto|cpu|cuda:N',
    help: 'where the model runs; auto = the CPU, until the GPU part has run on a GPU',
    must: 'must be auto, cpu or cuda:N',
    // `emulator` is a device of addons that are built for tests; any other refuses it, in the same words.
    parse: (text) => (/^(auto|cpu|cuda:\d{1,3}|emulator)$/.test(text) ? text : undefined),
    fallback: () => 'auto',
  }),
  precision: option<'fast' | 'exact'>({
    flag: '--precision',
    placeholder: 'fast|exact',
    help: 'exact: float32 throughout, the same bits whatever the threads and the chunking',
    ...oneOf('fast', 'exact'),
    fallback: () => 'fast',
  }),
  threads: option<number | undefined>({
    flag: '--threads',
    placeholder: 'N',
    help: 'threads that compute (default: one for each core)',
    ...integer(1, 1_024),
    fallback: () => undefined,
  }),
  callbackUrl: option<string | undefined>({
    flag: '--callback-url',
    placeholder: 'URL',
    help: 'told by POST once the model is ready',
    must: 'must be an http or https URL',
    parse: (text) => {
      const protocol = URL.canParse(text) ? new URL(text).protocol : ''
      return protocol === 'http:' || protocol === 'https:' ? text : undefined
    },
    fallback: () => undefined,
  }),
  contextLength: option<number | undefined>({
    flag: '--context-length',
    placeholder: 'N',
    help: 'positions of the KV cache (default: what the model was trained with)',
    ...integer(8, 16_777_216),
    fallback: () => undefined,
  }),
  maxQueue: option<number>({
    flag: '--max-queue',
    placeholder: 'N',
    help: 'jobs that may wait; more are refused with 503',
    ...integer(0, 100_000),
    fallback: () => 64,
  }),
  inferenceTimeoutSec: option<number>({
    flag: '--inference-timeout-sec',
    placeholder: 'N',
    help: 'a job that computes for longer ends with INFERENCE_TIMEOUT',
    ...seconds(0.1, 86_400),
    fallback: () => 300,
  }),
  engineStallSec: option<number>({
    flag: '--engine-stall-sec',
    placeholder: 'N',
    help: 'an engine process that computes no layer for so long is replaced',
    ...seconds(1, 3_600),
    fallback: () => 10,
  }),
  clientStallSec: option<number>({
    flag: '--client-stall-sec',
    placeholder: 'N',
    help: 'a client that takes no byte for so long loses its job',
    ...seconds(0.1, 3_600),
    fallback: () => 30,
  }),
  drainTimeoutSec: option<number>({
    flag: '--drain-timeout-sec',
    placeholder: 'N',
    help: 'how long jobs may go on after SIGTERM',
    ...seconds(0, 3_600),
    fallback: () => 8,
  }),
  pingIntervalSec: option<number>({
    flag: '--ping-interval-sec',
    placeholder: 'N',
    help: 'between comments that keep an idle stream open',
    ...seconds(0.05, 3_600),
    fallback: () => 15,
  }),
  apiToken: option<string | undefined>({
    flag: '--api-token-file',
    placeholder: 'PATH',
    help: 'file that holds the bearer token to ask clients for',
    must: 'must be a readable file that holds a token of 8 to 512 graphic ASCII characters',
    parse: (path) => {
      const text = statSync(path).isFile() ? readFileSync(path, 'utf8').trim() : ''
      return TOKEN.test(text) ? text : undefined
    },
    fallback: () => undefined,
    secret: true,
  }),
  traceDir: option<string | undefined>({
    flag: '--trace-dir',
    placeholder: 'DIR',
    help: 'lets requests ask for a trace, which is written below this folder',
    must: 'must be a folder that can be written to',
    parse: (path) => {
      accessSync(path, constants.W_OK | constants.X_OK)
      return statSync(path).isDirectory() ? path : undefined
    },
    fallback: () => undefined,
  }),
  logLevel: option<string>({
    flag: '--log-level',
    placeholder: 'LEVEL',
    help: 'how much is logged to stderr',
    ...oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    fallback: () => 'info',
  }),
} as const

export type OptionName = keyof typeof OPTIONS
export type OptionValues = { [Name in OptionName]: (typeof OPTIONS)[Name] extends Option<infer Value> ? Value : never }

/** PLUMBLINE_INFERENCE_TIMEOUT_SEC for --inference-timeout-sec. */
export function environmentVariable(flag: string): string {
  return `PLUMBLINE_${flag.slice(2).replaceAll('-', '_').toUpperCase()}`
}
