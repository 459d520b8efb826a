/** One promise, and what was measured. */
export interface Row {
  readonly what: string
  readonly target: number
  readonly unit: string
  readonly better: 'higher' | 'lower'
  readonly value: number
}
