import { PlumblineError } from '@plumbline/protocol/errors'
import { EXIT } from '@plumbline/protocol/exit-codes'
import type { Command } from 'commander'

/** `models`, `pull` and `inspect`: what has to do with model files and serves nothing. */
export function addModelCommands(program: Command, exitWith: (code: number) => void): void {
  program
    .command('models')
    .description('list the models that are here, and those that can be pulled')
    .action(async () => {
      const { describeModels } = await import('../models/models-command.ts')
      process.stdout.write(describeModels())
    })

  program
    .command('pull')
    .description('fetch a model from the Hugging Face Hub, verified against the sha256 that the Hub publishes')
    .argument('<NAME>', 'a name that `plumbline-worker models` lists')
    .action(async (name: string) => {
      const { pull } = await import('../models/pull.ts')
      await pull(name, process.stdout)
    })

  program
    .command('inspect')
    .description('print what a model file holds and whether it can be run, and if not, why')
    .argument('<MODEL>', 'a GGUF file, or the name of a model')
    .option('--json', 'as JSON')
    .action(async (model: string, { json }: { json?: true }) => {
      const [{ findModelFile }, { inspectModel }, { describeInspection, problemOf }] = await Promise.all([
        import('./model-file.ts'),
        import('../engine-host/inspect-model.ts'),
        import('../models/describe-inspection.ts'),
      ])
      const { path } = await findModelFile(model, 'MODEL')
      const print = (inspection: object, problem: PlumblineError | undefined) => {
        const { code, message, fields } = problem ?? {}
        const members = { path, ...inspection, problem: problem && { code, message, fields } }
        process.stdout.write(`${JSON.stringify(members, null, 2)}\n`)
      }
      const inspection = await inspectModel(path).catch((error: unknown) => {
        if (json) print({}, PlumblineError.from(error))
        throw error
      })
      const problem = problemOf(inspection)
      if (json) print(inspection, problem)
      else process.stdout.write(describeInspection(path, inspection))
      exitWith(problem === undefined ? EXIT.ok : EXIT.judgedFailed)
    })
}
