// Builds build/Release/plumbline.node. Quick when nothing has changed.
import { join } from 'node:path'
import { buildTree, has, main, missingTools, packageRoot, StepFailed } from './toolchain.mjs'

const releaseFolder = join(packageRoot, 'build', 'Release')

await main(async () => {
  const missing = missingTools()
  if (missing) throw new StepFailed(missing)
  await buildTree({ folder: releaseFolder, options: ['-DCMAKE_BUILD_TYPE=Release'], target: 'plumbline' })
  const variants = process.arch === 'x64' ? 'portable, avx2, avx512' : 'portable'
  const cuda = has('nvcc') ? 'no (nvcc is there, but this version has no CUDA backend)' : 'no (nvcc not found)'
  console.log(`native addon built: CPU ${variants}; CUDA ${cuda}`)
})
