import { availableParallelism } from 'node:os'
import { InvalidArgumentError } from 'commander'
import { type Row, selectRows } from './rows.ts'

// What the command line means; what is wrong with it is commander's to say.

export function positiveInteger(value: string): number {
  if (!/^[1-9]\d{0,5}$/.test(value)) throw new InvalidArgumentError('It must be a whole number from 1 on.')
  return Number(value)
}

/** `1,2` */
export function threadCounts(value: string): number[] {
  return [...new Set(value.split(',').map(positiveInteger))].toSorted((a, b) => a - b)
}

export const defaultThreadCounts = (): number[] => threadCounts(`1,${availableParallelism()}`)

/** `decode,prefill` */
export function rowNames(value: string): readonly Row[] {
  try {
    return selectRows(value.split(','))
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
}

export function precision(value: string): 'fast' | 'exact' {
  if (value === 'fast' || value === 'exact') return value
  throw new InvalidArgumentError('It must be fast or exact.')
}
