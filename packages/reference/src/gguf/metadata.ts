import { PlumblineError } from '@plumbline/protocol'
import type { GgufFile, GgufScalar, GgufValue } from './read-gguf.ts'

/** Typed access to metadata: undefined where a key is absent, INVALID_GGUF where it is of the wrong type. */
export class Metadata {
  readonly #values: ReadonlyMap<string, GgufValue>

  constructor(gguf: GgufFile) {
    this.#values = gguf.metadata
  }

  has(key: string): boolean {
    return this.#values.has(key)
  }

  string = (key: string): string | undefined => this.#typed(key, 'a string', isString)
  boolean = (key: string): boolean | undefined => this.#typed(key, 'a boolean', isBoolean)
  /** Any finite number. */
  number = (key: string): number | undefined => this.#typed(key, 'a finite number', isFiniteNumber)
  /** An integer that is at least 0. */
  count = (key: string): number | undefined => this.#typed(key, 'an integer that is at least 0', isCount)
  strings = (key: string): string[] | undefined => this.#array(key, 'an array of strings', isString)
  numbers = (key: string): number[] | undefined => this.#array(key, 'an array of finite numbers', isFiniteNumber)

  /** The value that `get` finds, or INVALID_GGUF. */
  require<T>(get: (key: string) => T | undefined, key: string): T {
    const value = get(key)
    if (value === undefined) throw new PlumblineError('INVALID_GGUF', `metadata has no ${key}`, { field: key })
    return value
  }

  #typed<T extends GgufScalar>(key: string, expected: string, is: (value: unknown) => value is T): T | undefined {
    const value = this.#values.get(key)
    if (value === undefined || is(value)) return value
    throw wrongType(key, expected)
  }

  #array<T extends GgufScalar>(key: string, expected: string, is: (value: unknown) => value is T): T[] | undefined {
    const value = this.#values.get(key)
    if (value === undefined) return undefined
    if (Array.isArray(value) && (value as unknown[]).every(is)) return value as T[]
    throw wrongType(key, expected)
  }
}

const isString = (value: unknown): value is string => typeof value === 'string'
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean'
const isFiniteNumber = (value: unknown): value is number => Number.isFinite(value)
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

function wrongType(key: string, expected: string): PlumblineError {
  return new PlumblineError('INVALID_GGUF', `metadata ${key} must be ${expected}`, { field: key })
}
