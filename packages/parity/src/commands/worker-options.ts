import { existsSync, mkdirSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PlumblineError } from '@plumbline/protocol'
import { InvalidArgumentError } from 'commander'

export function positiveNumber(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value > 0 && Number.isFinite(value)) return value
  throw new InvalidArgumentError('must be a number above 0')
}

export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,9}$/.test(text) && Number(text) >= least) return Number(text)
    throw new InvalidArgumentError(`must be a whole number of ${least} or more`)
  }
}

/** Whole numbers with commas between them. */
export function wholeNumbers(least: number): (text: string) => number[] {
  return (text) => {
    const values = text.split(',').map(Number)
    if (/^\d{1,9}(,\d{1,9})*$/.test(text) && values.every((value) => value >= least)) return [...new Set(values)]
    throw new InvalidArgumentError(`must be whole numbers of ${least} or more with commas between them`)
  }
}

/** Where traces go: the folder that was asked for, or one that is not to be kept. */
export function outFolder(out: string | undefined): { folder: string; keep: boolean } {
  if (out === undefined) return { folder: mkdtempSync(join(tmpdir(), 'plumbline-parity-')), keep: false }
  if (existsSync(out) && readdirSync(out).length > 0) {
    const message = `--out is '${out}', must be a folder that is empty or not there yet`
    throw new PlumblineError('INVALID_OPTION', message, { option: '--out' })
  }
  mkdirSync(out, { recursive: true })
  return { folder: out, keep: true }
}
