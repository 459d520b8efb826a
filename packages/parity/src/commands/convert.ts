import type { Command } from 'commander'
import { openRecording } from '../formats/open-recording.ts'
import { WRITTEN_FORMATS, type WrittenFormat, writeRecording } from '../formats/write/write-recording.ts'
import { oneOf, option } from './option-kinds.ts'

/** `convert`: the same recording in another format. */
export function addConvertCommand(program: Command): void {
  program
    .command('convert')
    .description('write a recording in another format, with all its runs and values')
    .argument('<recording>', 'a file or a folder')
    .argument('<out>', 'the file to write')
    .addOption(option('--to <FORMAT>', 'what to write', oneOf(WRITTEN_FORMATS)).makeOptionMandatory())
    .option('--force', 'overwrite what is there', false)
    .action(async (path: string, out: string, { to, force }: { to: WrittenFormat; force: boolean }) => {
      const recording = await openRecording(path)
      try {
        await writeRecording(recording, to, out, { overwrite: force })
      } finally {
        recording.close()
      }
    })
}
