// Builds and runs the GoogleTest suites.
//   (nothing)    beside the addon, from the same objects
//   --sanitize   under AddressSanitizer and UndefinedBehaviorSanitizer
//   --aarch64    cross-built for 64-bit ARM, under qemu
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buildTree, has, main, missingTools, packageRoot, StepFailed } from './toolchain.mjs'

const GOOGLETEST_SOURCE = '/usr/src/googletest'

const googletest = () =>
  existsSync('/usr/include/gtest/gtest.h') || existsSync('/usr/local/include/gtest/gtest.h')
    ? undefined
    : 'GoogleTest (Debian, Ubuntu: libgtest-dev)'

const crossTools = () =>
  has('aarch64-linux-gnu-g++') && has('qemu-aarch64') && existsSync(GOOGLETEST_SOURCE)
    ? undefined
    : 'a cross compiler, qemu and the sources of GoogleTest (Debian, Ubuntu: g++-aarch64-linux-gnu qemu-user libgtest-dev)'

const flavours = {
  plain: { folder: 'Release', options: ['-DCMAKE_BUILD_TYPE=Release'], lacks: googletest },
  sanitize: {
    folder: 'sanitize',
    options: [
      '-DCMAKE_BUILD_TYPE=Sanitize',
      '-DCMAKE_CXX_FLAGS_SANITIZE=-O1',
      '-DPLUMBLINE_ADDON=OFF',
      '-DPLUMBLINE_SANITIZE=address,undefined',
    ],
    lacks: googletest,
  },
  aarch64: {
    folder: 'aarch64',
    options: [
      '-DCMAKE_BUILD_TYPE=Release',
      '-DPLUMBLINE_ADDON=OFF',
      `-DCMAKE_TOOLCHAIN_FILE=${join(packageRoot, 'cmake', 'aarch64.cmake')}`,
      `-DPLUMBLINE_GOOGLETEST_SOURCE=${GOOGLETEST_SOURCE}`,
    ],
    lacks: crossTools,
  },
}

await main(async () => {
  const missing = missingTools()
  if (missing) throw new StepFailed(missing)
  const flavour = flavours[process.argv[2]?.slice(2) ?? 'plain']
  const lacking = flavour.lacks()
  if (lacking) {
    console.log(`skipped: these tests need ${lacking}`)
    return
  }
  const folder = join(packageRoot, 'build', flavour.folder)
  await buildTree({ folder, options: ['-DPLUMBLINE_TESTS=ON', ...flavour.options] })
  const { status } = spawnSync('ctest', ['--test-dir', folder, '--output-on-failure', '--no-tests=error'], {
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
})
