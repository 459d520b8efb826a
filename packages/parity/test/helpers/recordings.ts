import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { MemoryRun, memoryRecording } from '../../src/recording/memory-recording.ts'
import type { Recording, Slab, Values } from '../../src/recording/recording.ts'

/** A folder that is gone when the test is. */
export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'plumbline-parity-test-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

export interface Flat {
  readonly pos: number
  readonly dtype: string
  readonly phase: string | undefined
  readonly kind: string
  readonly columns: readonly number[]
  readonly values: readonly number[]
}

/** All that a recording holds, position by position, whatever its slabs are. */
export function flatten(recording: Recording): Record<string, Flat[]> {
  const flat: Record<string, Flat[]> = {}
  for (const run of recording.runs) {
    for (const checkpoint of run.checkpoints.values()) {
      const rows: Flat[] = []
      flat[`${run.id} ${checkpoint.name} ${checkpoint.width}`] = rows
      for (let index = 0; index < checkpoint.slabCount; index++) {
        const slab = checkpoint.slab(index)
        for (let row = 0; row < slab.count; row++) rows.push(flatRow(slab, row))
      }
    }
  }
  return flat
}

function flatRow(slab: Slab, row: number): Flat {
  const { coverage, pos, dtype, phase } = slab
  return {
    pos: pos + row,
    dtype,
    phase,
    kind: coverage.kind,
    columns: coverage.kind === 'columns' ? Array.from(coverage.columns(row)) : [],
    values: [...slab.read(row, 1)],
  }
}

const WIDTH = 7

/** Numbers of every kind that a float32 or float64 can be: subnormal, huge, both zeros, none. */
export function awkwardRecording(): Recording {
  const values = (length: number, ArrayType: new (length: number) => Values) => {
    const made = new ArrayType(length)
    const special = [0, -0, Number.NaN, Infinity, -Infinity, 1e-45, -1e-40, 3.4028234663852886e38, 0.1, 1 / 3, 16777217]
    for (let index = 0; index < length; index++) {
      made[index] = index < special.length ? special[index]! : Math.sin(index) * 10 ** ((index % 40) - 20)
    }
    return made
  }
  const runs = ['first', 'second/../third'].map((id, number) => {
    const run = new MemoryRun(id, {
      engine: 'test',
      promptTokenIds: [1, 2, 3],
      layers: 1,
      vocabSize: WIDTH,
      ropeOrder: 'gguf',
    })
    run.add('token_embd', { pos: 0, phase: 'prefill' }, WIDTH, values(3 * WIDTH, Float32Array))
    run.add(
      'logits',
      { pos: 0, phase: 'prefill' },
      WIDTH,
      values(3 * WIDTH, number === 0 ? Float32Array : Float64Array),
    )
    run.add('logits', { pos: 3, phase: 'decode' }, WIDTH, values(WIDTH, number === 0 ? Float32Array : Float64Array))
    run.add('logits', { pos: 4, phase: 'decode' }, WIDTH, values(WIDTH, number === 0 ? Float32Array : Float64Array))
    return run
  })
  return memoryRecording(runs)
}
