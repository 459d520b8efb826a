// `pnpm --filter @plumbline/parity build-kernels`: compiles assembly/ and writes src/kernels/kernels-wasm.ts anew.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { compileKernels } from './compile-kernels.ts'

const text = (await compileKernels()).toString('base64')
const source = `/** assembly/, compiled: made by \`pnpm --filter @plumbline/parity build-kernels\`. */
export const KERNELS_WASM =
  '${text}'
`
writeFileSync(fileURLToPath(new URL('../src/kernels/kernels-wasm.ts', import.meta.url)), source)
