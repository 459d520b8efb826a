// Builds build/Release/plumbline.node. Quick when nothing has changed.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildTree, main, packageRoot, StepFailed } from './toolchain.mjs'

const releaseFolder = join(packageRoot, 'build', 'Release')

/** What the CUDA part is compiled for; undefined where CMake found no nvcc that works with this compiler. */
function cudaTargets() {
  const cache = readFileSync(join(releaseFolder, 'CMakeCache.txt'), 'utf8')
  const read = (variable) => new RegExp(`^${variable}:[A-Z]+=(.*)$`, 'm').exec(cache)?.[1]
  const compiler = read('CMAKE_CUDA_COMPILER')
  return compiler === undefined || compiler.endsWith('NOTFOUND') ? undefined : read('PLUMBLINE_CUDA_TARGETS')
}

await main(async () => {
  await buildTree({ folder: releaseFolder, options: ['-DCMAKE_BUILD_TYPE=Release'], target: 'plumbline' })
  const variants = process.arch === 'x64' ? 'portable, avx2, avx512' : 'portable'
  const cuda = cudaTargets()
  // Set where a build without CUDA would show nothing: in the job that is there to compile it.
  if (cuda === undefined && process.env.PLUMBLINE_REQUIRE_CUDA === '1') {
    throw new StepFailed('PLUMBLINE_REQUIRE_CUDA=1, but there is no nvcc that works with this compiler')
  }
  console.log(`native addon built: CPU ${variants}; CUDA ${cuda ?? 'not built (no nvcc that works)'}`)
})
