import { EXIT } from '@plumbline/protocol'
import type { Command } from 'commander'
import { readBundle } from '../report/repro/bundle.ts'
import { showBundle } from '../report/repro/show-bundle.ts'
import type { CommandContext } from './context.ts'

/** `repro`: shows again what `compare --repro` put into a bundle. */
export function addReproCommand(program: Command, context: CommandContext): void {
  program
    .command('repro')
    .description('compute the op of a repro bundle again, and show where both sides stand')
    .argument('<bundle>', 'a zip that compare --repro wrote')
    .action(async (path: string) => {
      const { text, differs } = showBundle(await readBundle(path))
      process.stdout.write(`${text}\n`)
      context.exitWith(differs ? EXIT.judgedFailed : EXIT.ok)
    })
}
