import { PlumblineError } from '@plumbline/protocol/errors'
import { environmentVariable, OPTIONS, type OptionName, type OptionValues } from './options.ts'

/** Where a value came from. */
type Source = 'command line' | 'environment' | 'default'

export interface Configuration {
  readonly values: OptionValues
  readonly sources: Readonly<Record<OptionName, Source>>
}

/** What the command line gave, by flag, as text. */
export type GivenFlags = Readonly<Record<string, string | undefined>>

interface Given {
  readonly text: string
  readonly source: Source
  /** What the user wrote: a flag or a variable. */
  readonly as: string
}

/**
 * Command line over environment over default. Throws INVALID_OPTION that names the first option that is wrong, what it was,
 * and what it must be.
 */
export function resolveConfiguration(flags: GivenFlags, environment: NodeJS.ProcessEnv): Configuration {
  const values: Record<string, unknown> = {}
  const sources: Record<string, Source> = {}
  for (const [name, option] of Object.entries(OPTIONS)) {
    const given = name === 'device' ? deviceGiven(flags, environment) : lookUp(option.flag, flags, environment)
    const { must } = option
    const value = given
      ? readingFiles({ option: given.as, was: given.text, must }, () => option.parse(given.text))
      : option.fallback()
    if (given && value === undefined) throw invalidOption(given.as, given.text, must)
    values[name] = value
    sources[name] = given?.source ?? 'default'
  }
  const configuration = { values: values as OptionValues, sources: sources as Record<OptionName, Source> }
  checkTogether(configuration.values)
  return configuration
}

export function invalidOption(option: string, was: string, must: string): PlumblineError {
  const shown = JSON.stringify(was.length > SHOWN_CHARACTERS ? `${was.slice(0, SHOWN_CHARACTERS)}…` : was)
  return new PlumblineError('INVALID_OPTION', `${option} is ${shown}, ${must}`, { option, was, must })
}

/** Of a value, in a line that a person is to read. */
const SHOWN_CHARACTERS = 200

/** What `read` returns. A file that cannot be read is what is wrong with the option that names it, not with this program. */
export function readingFiles<Result>(
  { option, was, must }: { option: string; was: string; must: string },
  read: () => Result,
): Result {
  try {
    return read()
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException
    throw syscall === undefined ? error : invalidOption(option, was, `${must} (${code})`)
  }
}

function lookUp(flag: string, flags: GivenFlags, environment: NodeJS.ProcessEnv): Given | undefined {
  const onLine = flags[flag]
  if (onLine !== undefined) return { text: onLine, source: 'command line', as: flag }
  const variable = environmentVariable(flag)
  const inEnvironment = environment[variable]
  if (inEnvironment === undefined || inEnvironment === '') return undefined
  return { text: inEnvironment, source: 'environment', as: `${flag} (${variable})` }
}

/** `--gpu-device N` is another way to write `--device cuda:N`. */
function deviceGiven(flags: GivenFlags, environment: NodeJS.ProcessEnv): Given | undefined {
  const device = lookUp('--device', flags, environment)
  const gpu = lookUp('--gpu-device', flags, environment)
  if (!gpu) return device
  if (!/^\d{1,3}$/.test(gpu.text)) throw invalidOption(gpu.as, gpu.text, 'must be the number of a GPU, 0 or more')
  const asDevice = { ...gpu, text: `cuda:${Number(gpu.text)}` }
  if (!device || device.text === asDevice.text) return asDevice
  // What is nearer wins; two that contradict each other at one place are a mistake.
  if (device.source !== gpu.source) return device.source === 'command line' ? device : asDevice
  throw invalidOption(gpu.as, gpu.text, `must agree with ${device.as} (${device.text}), or be left out`)
}

function checkTogether(values: OptionValues): void {
  if (values.apiToken === undefined && !isLoopback(values.host)) {
    throw invalidOption(
      '--host',
      values.host,
      'must be a loopback address (127.0.0.1, ::1, localhost) unless --api-token-file names a token',
    )
  }
}

function isLoopback(host: string): boolean {
  return /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host) || host === '::1' || host === 'localhost'
}

/** One line an option: what is in force, and where it came from. */
export function describeConfiguration({ values, sources }: Configuration): string {
  const lines = Object.entries(OPTIONS).map(([name, option]) => {
    const value = values[name as OptionName]
    const shown = value === undefined ? '(not set)' : option.secret ? '(set)' : String(value)
    return `${option.flag.padEnd(24)} ${shown.padEnd(40)} ${sources[name as OptionName]}`
  })
  return `${lines.join('\n')}\n`
}
