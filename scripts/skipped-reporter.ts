import type { Reporter, TestModule } from 'vitest/node'

/** Names, at the end of a run, what was skipped, each suite once; why is in the name, or in the note that the skip came with. */
export class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = new Set<string>()
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result()
        const note = result.state === 'skipped' ? result.note : undefined
        const suite = test.parent.type === 'suite' && test.parent.options.mode === 'skip' ? test.parent : test
        skipped.add(`${module.relativeModuleId}: ${suite.fullName}${note === undefined ? '' : ` (skipped: ${note})`}`)
      }
    }
    if (skipped.size > 0) console.log(['\nSkipped:', ...skipped].join('\n  '))
  }
}
