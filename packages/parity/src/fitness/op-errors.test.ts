import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OpRows } from './op-error-tasks.ts'
import { OpErrors } from './op-errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'plumbline-op-errors-'))
const VALUES = 300_000
const values = Float32Array.from({ length: VALUES }, (_, i) => Math.sin(i * i + 1))
let descriptor: number
beforeAll(() => {
  writeFileSync(join(folder, 'values.bin'), values)
  descriptor = openSync(join(folder, 'values.bin'), 'r')
})
afterAll(() => {
  closeSync(descriptor)
  rmSync(folder, { recursive: true })
})

// One after another, with a gap, and only one of the three of them elsewhere; rows to be padded, and such as are larger than a read.
test.each([6, 8, 640, 20_000])('rows of %i values have their own errors, wherever they lie', (width) => {
  const firsts: [number, number, number][] = [
    [0, 4, 1],
    [1, 5, 2],
    [2, 6, 3],
    [4, 8, 5],
    [5, 9, 0],
    [6, 10, 1],
  ]
  const rows = firsts.map((places) => places.map((row) => ({ descriptor, offset: 4 * width * row })))
  const errors = new OpErrors({ threaded: false })
  const found: number[][] = []
  const positions = firsts.map((_, index) => index)
  errors.add(width, false, positions, rows as unknown as OpRows[], (position, sums) => {
    found[position] = [sums![0]!, sums![1]!]
  })
  errors.end()
  for (const [position, places] of firsts.entries()) {
    const [out, left, right] = places.map((row) => values.subarray(row * width, (row + 1) * width))
    const sum = (term: (i: number) => number) => out!.reduce((total, _, i) => total + term(i), 0)
    const error = sum((i) => (out![i]! - (left![i]! + right![i]!)) ** 2)
    const size = sum((i) => left![i]! ** 2 + right![i]! ** 2)
    expect(Math.abs(found[position]![0]! - error)).toBeLessThanOrEqual(1e-9 * error)
    expect(Math.abs(found[position]![1]! - size)).toBeLessThanOrEqual(1e-9 * size)
  }
})
