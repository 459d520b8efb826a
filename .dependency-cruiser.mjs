// Who may import whom (ARCHITECTURE.md). A second opinion that shares code with the first is none, so `reference` and the native
// core never meet; `harness` and `parity` reach the worker by its command line, HTTP and files alone.

const inside = (name) => `^packages/${name}/`
const ours = '^(packages|models)/'
const tests = ['[.]test[.]ts$', '^(packages|models)/[^/]+/(test/|vitest[.]config[.]ts$)']
const undeclared = ['npm-no-pkg', 'npm-unknown']
const never = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to })

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    never(
      'no-circular',
      'A cycle has no first file to read; types alone may refer to each other.',
      {},
      { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    ),
    never(
      'no-unresolved',
      'An import that leads nowhere. What a bin or a bench starts is built, and linting waits for no build.',
      { pathNot: '^packages/[^/]+/bench/built[.]ts$' },
      { couldNotResolve: true, pathNot: '/dist/cli[.]js$' },
    ),
    never(
      'protocol-imports-nothing-of-ours',
      'protocol is what all others agree on.',
      { path: inside('protocol') },
      { path: ours, pathNot: inside('protocol') },
    ),
    never(
      'reference-is-independent',
      'The second opinion knows only the contracts.',
      { path: `${inside('reference')}src` },
      { path: ours, pathNot: [inside('reference'), inside('protocol')] },
    ),
    never(
      'first-opinion-is-independent',
      'Neither the worker nor the core may lean on the reference.',
      { path: ['^packages/(worker|cuda-core)/(src|bin|scripts)/'], pathNot: '[.]test[.]ts$' },
      { path: [inside('reference')] },
    ),
    never(
      'core-only-in-the-engine-process',
      'A crash of the native core must not take the HTTP process with it.',
      {
        path: ours,
        pathNot: ['^packages/worker/src/engine-host/[^/]+-process[.]ts$', inside('cuda-core'), '^packages/[^/]+/test/'],
      },
      { path: inside('cuda-core'), dependencyTypesNot: ['type-only'] },
    ),
    never(
      'engine-process-is-spawned',
      'What loads the core is a program of its own: the front starts it, and imports none of it.',
      { path: ours, pathNot: ['^packages/worker/scripts/', '^packages/[^/]+/test/'] },
      { path: '^packages/worker/src/engine-host/[^/]+-process[.]ts$' },
    ),
    never(
      'judges-stay-outside',
      'The harness and parity judge the worker from outside.',
      { path: [inside('harness'), inside('parity')] },
      { path: ['^packages/(worker|cuda-core)/'] },
    ),
    never(
      'bench-stays-outside',
      'The bench measures what a user would start: by command line and HTTP alone.',
      { path: `${inside('bench')}` },
      { path: ['^packages/(worker|cuda-core|harness|reference)/'] },
    ),
    never(
      'models-know-nothing-of-the-packages',
      'The model and its generator stand alone.',
      { path: '^models/[^/]+/src' },
      { path: '^packages/' },
    ),
    never(
      'no-tests-in-the-product',
      'What ships does not import what tests it.',
      { path: '^(packages|models)/[^/]+/src/', pathNot: '[.]test[.]ts$' },
      { path: '([.]test[.]ts$|^(packages|models)/[^/]+/test/)' },
    ),
    never(
      'no-development-dependencies-in-the-product',
      'They are not installed where the product is.',
      { path: '^packages/[^/]+/src/', pathNot: '[.]test[.]ts$' },
      { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    ),
    never(
      'no-undeclared-dependencies',
      'What is imported is in package.json: what only the root has is not there where the package is installed.',
      { path: ours, pathNot: tests },
      { dependencyTypes: undeclared },
    ),
    never(
      'no-undeclared-dependencies-in-tests',
      'Of what only the root has, tests import vitest alone.',
      { path: tests },
      { dependencyTypes: undeclared, pathNot: '/node_modules/vitest/' },
    ),
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: ['node_modules', 'dist'] },
    exclude: { path: ['^(packages|models)/[^/]+/(dist|build)/'] },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['source', 'import', 'node', 'default'] },
    builtInModules: { add: [] },
  },
}
