import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

const FLAGS = ['--optimizeLevel', '3', '--runtime', 'stub', '--noAssert', '--importMemory', '--sharedMemory']
const FEATURES = ['--enable', 'simd', '--enable', 'threads', '--initialMemory', '1', '--maximumMemory', '4096']

/** WebAssembly of assembly/index.ts: the same bytes each time. */
export async function compileKernels(): Promise<Buffer> {
  let binary: Uint8Array | undefined
  const { error, stderr } = await asc.main(
    [
      'index.ts',
      '--baseDir',
      fileURLToPath(new URL('../assembly', import.meta.url)),
      '--outFile',
      'kernels.wasm',
      ...FLAGS,
      ...FEATURES,
    ],
    {
      writeFile: (_name, contents) => {
        if (typeof contents !== 'string') binary = contents
      },
    },
  )
  if (error !== null || binary === undefined)
    throw new Error(`assembly/ does not compile: ${error?.message}\n${stderr}`)
  return Buffer.from(binary)
}
