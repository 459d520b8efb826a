// Builds build/emulated/*.node, addons with the CUDA emulator as a device: plumbline_emulated.node, and others of which one kernel is
// wrong (native/test/emulator/planted_kernels.cmake). Beside the addon and from the same objects.
import { join } from 'node:path'
import { buildTree, main, packageRoot } from './toolchain.mjs'

await main(async () => {
  await buildTree({
    folder: join(packageRoot, 'build', 'Release'),
    options: ['-DCMAKE_BUILD_TYPE=Release', '-DPLUMBLINE_EMULATED_ADDONS=ON'],
    target: 'plumbline_emulated_addons',
  })
})
