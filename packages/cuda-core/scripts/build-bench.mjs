// Builds the native programs of `pnpm bench` beside the addon, from the same objects: build/Release/native/bench.
import { join } from 'node:path'
import { buildTree, main, packageRoot } from './toolchain.mjs'

await main(async () => {
  await buildTree({
    folder: join(packageRoot, 'build', 'Release'),
    options: ['-DCMAKE_BUILD_TYPE=Release', '-DPLUMBLINE_BENCH=ON'],
    target: 'plumbline_bench',
  })
})
