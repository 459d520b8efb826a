// Builds and runs the GoogleTest suites.
//   (nothing)         beside the addon, from the same objects
//   --sanitize        under AddressSanitizer and UndefinedBehaviorSanitizer
//   --sanitize-node   the addon under both, inside Node: this package's own fast tests
//   --aarch64         cross-built for 64-bit ARM, under qemu
//   --planted-kernels the op tests in the CUDA emulator, with a mistake in one kernel each: what they say of it is printed
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildTree, has, main, packageRoot, StepFailed } from './toolchain.mjs'

const GOOGLETEST_SOURCE = '/usr/src/googletest'
const CROSS_COMPILER = 'aarch64-linux-gnu-g++'

const googletest = () =>
  existsSync('/usr/include/gtest/gtest.h') || existsSync('/usr/local/include/gtest/gtest.h')
    ? undefined
    : 'GoogleTest (Debian, Ubuntu: libgtest-dev)'

const crossTools = () =>
  has(CROSS_COMPILER) && has('qemu-aarch64') && existsSync(GOOGLETEST_SOURCE)
    ? undefined
    : `a cross compiler, qemu and the sources of GoogleTest (Debian, Ubuntu: g++-aarch64-linux-gnu qemu-user libgtest-dev)`

/** A library of the compiler's; undefined where it comes with none of that name. */
const libraryOf = (compiler, name) => {
  const path = spawnSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout?.trim()
  return path && existsSync(path) ? path : undefined
}

const runtime = () => libraryOf(process.env.CXX || 'c++', 'libasan.so')

const ctest = (folder) =>
  spawnSync('ctest', ['--test-dir', folder, '--output-on-failure', '--no-tests=error'], { stdio: 'inherit' })

/** Node itself is not sanitized, so the sanitizer must be there before it; what V8 leaves behind at exit is no leak of ours. */
function vitest(folder) {
  const { PLUMBLINE_TEST_REPORTS: _, ...env } = process.env
  const program = join(dirname(fileURLToPath(import.meta.resolve('vitest/package.json'))), 'vitest.mjs')
  return spawnSync(process.execPath, [program, 'run', '--exclude', 'test/native.test.ts'], {
    cwd: packageRoot,
    stdio: 'inherit',
    env: {
      ...env,
      PLUMBLINE_TEST_TIER: 'fast',
      PLUMBLINE_ADDON: join(folder, 'plumbline.node'),
      LD_PRELOAD: runtime(),
      ASAN_OPTIONS: 'detect_leaks=0',
      UBSAN_OPTIONS: 'print_stacktrace=1',
    },
  })
}

/** Runs the op tests on every planted kernel; each must fail. */
function plantedKernels(folder) {
  const tests = join(folder, 'native', 'test', 'emulator')
  const all = readdirSync(tests).filter((file) => file.startsWith('cuda_planted_'))
  const missed = all.filter((file) => {
    const { status, stdout } = spawnSync(join(tests, file), ['--gtest_filter=CudaOps.*-*RealVocabulary'], {
      cwd: packageRoot,
      encoding: 'utf8',
    })
    console.log(`== ${file.replace('cuda_planted_', '')}\n${stdout}`)
    return status === 0
  })
  if (missed.length > 0) console.error(`not found: ${missed.join(', ')}`)
  return { status: all.length === 0 || missed.length > 0 ? 1 : 0 }
}

const sanitize = [
  '-DCMAKE_BUILD_TYPE=Sanitize',
  '-DCMAKE_CXX_FLAGS_SANITIZE=-O1',
  '-DPLUMBLINE_CUDA=OFF',
  '-DPLUMBLINE_SANITIZE=address,undefined',
]

const flavours = {
  plain: {
    folder: 'Release',
    options: ['-DCMAKE_BUILD_TYPE=Release', '-DPLUMBLINE_TESTS=ON'],
    lacks: googletest,
    run: ctest,
  },
  sanitize: { folder: 'sanitize', options: [...sanitize, '-DPLUMBLINE_TESTS=ON'], lacks: googletest, run: ctest },
  'sanitize-node': {
    folder: 'sanitize',
    options: sanitize,
    target: 'plumbline',
    lacks: () =>
      runtime() === undefined ? 'the runtime library of AddressSanitizer (Debian, Ubuntu: g++)' : undefined,
    run: vitest,
  },
  'planted-kernels': {
    folder: 'Release',
    options: ['-DCMAKE_BUILD_TYPE=Release', '-DPLUMBLINE_TESTS=ON'],
    target: 'plumbline_planted_kernel_tests',
    lacks: googletest,
    run: plantedKernels,
  },
  aarch64: {
    folder: 'aarch64',
    crossCompiler: CROSS_COMPILER,
    options: [
      '-DCMAKE_BUILD_TYPE=Release',
      '-DPLUMBLINE_ADDON=OFF',
      '-DPLUMBLINE_TESTS=ON',
      `-DCMAKE_TOOLCHAIN_FILE=${join(packageRoot, 'cmake', 'aarch64.cmake')}`,
      `-DPLUMBLINE_GOOGLETEST_SOURCE=${GOOGLETEST_SOURCE}`,
    ],
    lacks: crossTools,
    run: ctest,
  },
}

await main(async () => {
  const name = process.argv[2]?.slice(2) ?? 'plain'
  const { lacks, run, ...tree } = flavours[name]
  const lacking = lacks()
  if (lacking) {
    const insist = ['CI', 'PLUMBLINE_REQUIRE_ASSETS'].find((variable) => /^(1|true)$/.test(process.env[variable] ?? ''))
    if (insist)
      throw new StepFailed(
        `cannot run the native tests (${name}): they need ${lacking}, and ${insist} forbids skipping`,
      )
    console.error(`skipped: the native tests (${name}) need ${lacking}`)
    return
  }
  const folder = join(packageRoot, 'build', tree.folder)
  await buildTree({ ...tree, folder })
  process.exitCode = run(folder).status ?? 1
})
