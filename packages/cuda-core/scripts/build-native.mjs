// Builds build/Release/plumbline.node. Quick when nothing has changed.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildTree, main, missingTools, packageRoot, StepFailed } from './toolchain.mjs'

const releaseFolder = join(packageRoot, 'build', 'Release')

/** What CMake found, in words. */
function cudaPart() {
  const compiler = /^CMAKE_CUDA_COMPILER:[A-Z]+=(.*)$/m.exec(
    readFileSync(join(releaseFolder, 'CMakeCache.txt'), 'utf8'),
  )?.[1]
  return compiler && !compiler.endsWith('NOTFOUND')
    ? 'devices are probed, but there is no forward pass yet'
    : 'no (no nvcc that works)'
}

await main(async () => {
  const missing = missingTools()
  if (missing) throw new StepFailed(missing)
  await buildTree({ folder: releaseFolder, options: ['-DCMAKE_BUILD_TYPE=Release'], target: 'plumbline' })
  const variants = process.arch === 'x64' ? 'portable, avx2, avx512' : 'portable'
  console.log(`native addon built: CPU ${variants}; CUDA ${cudaPart()}`)
})
