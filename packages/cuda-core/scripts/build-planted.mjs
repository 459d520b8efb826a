// Builds build/planted/plumbline_planted.node, the addon that is wrong on demand (native/test/planted), beside the addon and from the same objects.
import { join } from 'node:path'
import { buildTree, main, packageRoot } from './toolchain.mjs'

await main(async () => {
  await buildTree({
    folder: join(packageRoot, 'build', 'Release'),
    options: ['-DCMAKE_BUILD_TYPE=Release', '-DPLUMBLINE_PLANT_MISTAKES=ON'],
    target: 'plumbline_planted',
  })
})
