import { statSync } from 'node:fs'
import { EXIT, type PlumblineError } from '@plumbline/protocol'
import type { Command } from 'commander'
import type { z } from 'zod'
import { openRecording } from '../formats/open-recording.ts'
import { WRITTEN_FORMATS, type WrittenFormat, writeRecording } from '../formats/write/write-recording.ts'
import { documentHead, refusalDocument, writeJson } from '../report/json-document.ts'
import type { convertJsonSchema } from '../report/recording-json.ts'
import type { CommandContext } from './context.ts'
import { oneOf, option } from './option-kinds.ts'
import { tellingJson } from './report-options.ts'

interface Given {
  readonly to: WrittenFormat
  readonly force: boolean
  readonly json: boolean
}

/** `convert`: the same recording in another format. */
export function addConvertCommand(program: Command, context: CommandContext): void {
  program
    .command('convert')
    .description('write a recording in another format, with all its runs and values')
    .argument('<recording>', 'a file or a folder')
    .argument('<out>', 'the file to write')
    .addOption(option('--to <FORMAT>', 'what to write', oneOf(WRITTEN_FORMATS)).makeOptionMandatory())
    .option('--force', 'overwrite what is there', false)
    .option('--json', 'say what was written, as JSON', false)
    .action(async (path: string, out: string, given: Given) => {
      const refusal = (error: PlumblineError) => refusalDocument('convert', error)
      const written = await tellingJson(given, () => convert(path, out, given), refusal)
      if (given.json) writeJson(written)
      context.exitWith(EXIT.ok)
    })
}

async function convert(path: string, out: string, { to, force }: Given): Promise<z.output<typeof convertJsonSchema>> {
  const recording = await openRecording(path)
  try {
    await writeRecording(recording, to, out, { overwrite: force })
    const { format, runs } = recording
    return { ...documentHead('convert', EXIT.ok), path, format, out, to, runs: runs.length, bytes: statSync(out).size }
  } finally {
    recording.close()
  }
}
