import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import type { MachineDescription } from './report.ts'

const INSTRUCTION_SETS = [
  'avx2',
  'fma',
  'f16c',
  'avx_vnni',
  'avx512f',
  'avx512bw',
  'avx512_vnni',
  'avx512_bf16',
  'amx_int8',
]

export function describeMachine(): MachineDescription {
  let flags: string[] = []
  try {
    flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(/\s+/) ?? []
  } catch {
    // No /proc: a machine with other instruction sets than those of the list.
  }
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    instructionSets: INSTRUCTION_SETS.filter((name) => flags.includes(name)),
  }
}
