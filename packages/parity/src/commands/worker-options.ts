import { InvalidArgumentError } from 'commander'

export function positiveNumber(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value > 0 && Number.isFinite(value)) return value
  throw new InvalidArgumentError('must be a number above 0')
}

/** Whole numbers with commas between them. */
export function wholeNumbers(least: number): (text: string) => number[] {
  return (text) => {
    const values = text.split(',').map(Number)
    if (/^\d+(,\d+)*$/.test(text) && values.every((value) => value >= least)) return values
    throw new InvalidArgumentError(`must be whole numbers of ${least} or more with commas between them`)
  }
}
