// Builds and runs the GoogleTest suites; with --sanitize under AddressSanitizer and UndefinedBehaviorSanitizer, in a
// build folder of its own.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buildTree, main, missingTools, packageRoot, StepFailed } from './toolchain.mjs'

const sanitize = process.argv.includes('--sanitize')

await main(async () => {
  const missing = missingTools()
  if (missing) throw new StepFailed(missing)
  if (!existsSync('/usr/include/gtest/gtest.h') && !existsSync('/usr/local/include/gtest/gtest.h')) {
    console.log('skipped: the native tests need GoogleTest (Debian, Ubuntu: libgtest-dev)')
    return
  }
  const folder = join(packageRoot, 'build', sanitize ? 'sanitize' : 'test')
  const options = ['-DPLUMBLINE_TESTS=ON', '-DPLUMBLINE_ADDON=OFF', '-DCMAKE_BUILD_TYPE=Release']
  if (sanitize) options.push('-DPLUMBLINE_SANITIZE=address,undefined', '-DCMAKE_CXX_FLAGS_RELEASE=-O1')
  await buildTree({ folder, options })
  const { status } = spawnSync('ctest', ['--test-dir', folder, '--output-on-failure', '--no-tests=error'], {
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
})
