// Builds build/Release/plumbline.node. Quick when nothing has changed.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildTree, main, packageRoot, StepFailed } from './toolchain.mjs'

const releaseFolder = join(packageRoot, 'build', 'Release')

/** Whether CMake found an nvcc that works with this compiler. */
function cudaFound() {
  const cache = readFileSync(join(releaseFolder, 'CMakeCache.txt'), 'utf8')
  const compiler = /^CMAKE_CUDA_COMPILER:[A-Z]+=(.*)$/m.exec(cache)?.[1]
  return compiler !== undefined && !compiler.endsWith('NOTFOUND')
}

await main(async () => {
  await buildTree({ folder: releaseFolder, options: ['-DCMAKE_BUILD_TYPE=Release'], target: 'plumbline' })
  const variants = process.arch === 'x64' ? 'portable, avx2, avx512' : 'portable'
  const cuda = cudaFound()
  // Set where a build without CUDA would show nothing: in the job that is there to compile it.
  if (!cuda && process.env.PLUMBLINE_REQUIRE_CUDA === '1') {
    throw new StepFailed('PLUMBLINE_REQUIRE_CUDA=1, but there is no nvcc that works with this compiler')
  }
  const cudaPart = cuda
    ? 'compiled for sm_80, sm_90a and as PTX, not yet offered as a device'
    : 'no (no nvcc that works)'
  console.log(`native addon built: CPU ${variants}; CUDA: ${cudaPart}`)
})
