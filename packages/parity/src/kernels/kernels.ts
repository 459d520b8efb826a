import { KERNELS_WASM } from './kernels-wasm.ts'

/** Addresses are bytes of the memory that the kernels were made with. What each does is told in assembly/. */
export interface Kernels {
  scanNumbers(
    from: number,
    safe: number,
    out: number,
    index: number,
    end: number,
    toFloat32: number,
    powers: number,
  ): number
  stoppedAt(): number
  describeValues(values: number, count: number, out: number): void
  sumRow(x: number, y: number, width: number, out: number): void
  sumError(out: number, left: number, right: number, width: number, sums: number): void
  productError(out: number, gate: number, up: number, width: number, sums: number): void
}

const PAGE_BYTES = 1 << 16
/** As compiled. */
const MOST_PAGES = 4096

/** Before it the kernels keep their tables. */
export const FREE_FROM = PAGE_BYTES

/** Memory with `bytes` after FREE_FROM, which threads can share. */
export function kernelMemory(bytes: number): WebAssembly.Memory {
  const pages = 1 + Math.ceil(bytes / PAGE_BYTES)
  return new WebAssembly.Memory({ initial: pages, maximum: MOST_PAGES, shared: true })
}

let compiled: WebAssembly.Module | undefined

/** For threads: compiled and optimised once for all of them. */
export function kernelModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(Buffer.from(KERNELS_WASM, 'base64'))
  return compiled
}

export function makeKernels(memory: WebAssembly.Memory, module = kernelModule()): Kernels {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels
}
