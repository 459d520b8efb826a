import type { Command } from 'commander'
import { OPTIONS } from '../config/options.ts'
import { addOptions } from './command-options.ts'

const ENGINE_OPTIONS = ['model', 'device', 'precision', 'threads', 'contextLength', 'logLevel'] as const

/** `trace`: one generation without a server, written down checkpoint by checkpoint. */
export function addTraceCommand(program: Command, exitWith: (code: number) => void): void {
  const trace = program
    .command('trace')
    .description('run one generation without a server and write its trace')
    .requiredOption('--out <DIR>', 'folder for the trace: made if it is not there, must be empty')
    .option('--prompt <TEXT>', 'the prompt')
    .option('--messages <FILE>', 'a JSON file of chat messages, in place of a prompt')
    .option('--prompt-token-ids <IDS>', 'token ids with commas between them, in place of a prompt')
    .option('--level <LEVEL>', 'logits, layers or ops', 'ops')
    .option('--values <WHICH>', 'first8 or all: how much of each tensor is in the JSONL, too', 'first8')
    .option('--max-tokens <N>', 'tokens to generate; 0 = evaluate the prompt only', '16')
    .option('--temperature <T>', '0 = greedy', '0')
    .option('--seed <N>', 'unsigned 64-bit integer', '0')
    .option('--prefill-chunk <N>', 'positions of the prompt evaluated at once (default: as a served request)')
    .option('--unfused', 'run the unfused twins of fused kernels (the CPU backend fuses none)')
  addOptions(
    trace,
    ENGINE_OPTIONS.map((name) => OPTIONS[name]),
  )
  trace.action(async (given: Record<string, string> & { unfused?: boolean }) => {
    const { runTraceCommand } = await import('./run-trace-command.ts')
    exitWith(await runTraceCommand(given))
  })
}
