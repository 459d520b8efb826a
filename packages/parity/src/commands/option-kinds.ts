import { PlumblineError } from '@plumbline/protocol'
import { Option } from 'commander'

/** What the value of an option may be. */
interface Kind<Value> {
  /** For error messages: "must be …". */
  readonly must: string
  /** The value, or undefined where the text is not what it must be. */
  readonly parse: (text: string) => Value | undefined
  /** For --help. */
  readonly choices?: readonly string[]
}

/** An option whose value is of that kind; another throws INVALID_OPTION, which names the option and what it must be. */
export function option<Value>(flags: string, description: string, { must, parse, choices }: Kind<Value>): Option {
  const made = new Option(flags, description)
  if (choices !== undefined) made.choices(choices)
  return made.argParser((text: string) => {
    const value = parse(text)
    if (value === undefined) throw invalidOption(made.long!, text, must)
    return value
  })
}

/** What is wrong with the value of an option. */
export function invalidOption(flag: string, value: string, must: string): PlumblineError {
  return new PlumblineError('INVALID_OPTION', `${flag} is '${value}', ${must}`, { option: flag })
}

export function oneOf<Choice extends string>(choices: readonly Choice[]): Kind<Choice> {
  return {
    must: `must be ${choices.join(', ')}`,
    parse: (text) => choices.find((choice) => choice === text),
    choices,
  }
}

export const device: Kind<string> = {
  must: 'must be auto, cpu or cuda:N',
  parse: (text) => (/^(auto|cpu|cuda:\d{1,3}|emulator)$/.test(text) ? text : undefined),
}

export const positiveNumber: Kind<number> = {
  must: 'must be a number above 0',
  parse: (text) => {
    const value = Number(text)
    return text.trim() !== '' && value > 0 && Number.isFinite(value) ? value : undefined
  },
}

export function wholeNumber(least: number): Kind<number> {
  return {
    must: `must be a whole number of ${least} or more`,
    parse: (text) => (/^\d{1,9}$/.test(text) && Number(text) >= least ? Number(text) : undefined),
  }
}

/** Each value once: what is to be tried is tried once. */
export function distinctNumbers(least: number): Kind<number[]> {
  return {
    must: `must be whole numbers of ${least} or more with commas between them`,
    parse: (text) => {
      const values = numbersIn(text)
      return values?.every((value) => value >= least) ? [...new Set(values)] : undefined
    },
  }
}

/** In their order, and as often as they are given. */
export const tokenIds: Kind<number[]> = {
  must: 'must be token ids with commas between them: 1,2,3',
  parse: numbersIn,
}

function numbersIn(text: string): number[] | undefined {
  return /^\d{1,9}(,\d{1,9})*$/.test(text) ? text.split(',').map(Number) : undefined
}
