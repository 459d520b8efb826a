// Bundles src/ and what it depends on into dist/: a start reads a dozen files instead of a thousand, which halves what it costs.
// dist/ is flat, so that src/package-files.ts finds the package from there as it does from src/.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url))

const ERRORS = '@plumbline/protocol/errors'
const protocol = path('../protocol/src')

/** As src/version.ts has it. */
function commit() {
  const args = ['describe', '--always', '--dirty', '--abbrev=40', '--exclude=*']
  const { status, stdout } = spawnSync('git', args, { cwd: path('.'), encoding: 'utf8' })
  return status === 0 ? stdout.trim() : null
}

rmSync(path('dist'), { recursive: true, force: true })
const bundle = await rolldown({
  input: {
    cli: path('src/cli.ts'),
    'engine-process': path('src/engine-host/engine-process.ts'),
    'device-process': path('src/engine-host/device-process.ts'),
    'inspect-process': path('src/engine-host/inspect-process.ts'),
    'fingerprint-process': path('src/engine-host/fingerprint-process.ts'),
    'encoding-thread': path('src/tokenization/encoding-thread.ts'),
    'template-thread': path('src/tokenization/template-thread.ts'),
  },
  platform: 'node',
  resolve: { conditionNames: ['source', 'import', 'node', 'default'] },
  // cuda-core finds its addon beside itself, and shares its error class with the engine process; pino-pretty is for terminals only.
  external: ['@plumbline/cuda-core', ERRORS, 'pino-pretty'],
  // One error class, whichever way it is imported.
  plugins: [
    {
      name: 'one-error-class',
      resolveId(source, importer) {
        return source === './errors.ts' && importer?.startsWith(protocol) ? { id: ERRORS, external: true } : null
      },
    },
  ],
  transform: { define: { PLUMBLINE_COMMIT: JSON.stringify(commit()) } },
  onLog(level, log) {
    if (level === 'warn' || level === 'error') throw new Error(log.message)
  },
})
await bundle.write({ dir: path('dist'), format: 'esm' })
