import { EXIT, type ExitCode, type PlumblineError } from '@plumbline/protocol'
import type { Command } from 'commander'
import type { z } from 'zod'
import { openRecording } from '../formats/open-recording.ts'
import { describePlace } from '../formats/recording-file.ts'
import type { Checkpoint, RecordedDtype, RecordedRun, Recording } from '../recording/recording.ts'
import { documentHead, faultsJson, refusalDocument, snakeCase, writeJson } from '../report/json-document.ts'
import type { inspectJsonSchema } from '../report/recording-json.ts'
import type { CommandContext } from './context.ts'
import { tellingJson } from './report-options.ts'

/** `inspect`: what a recording holds. */
export function addInspectCommand(program: Command, context: CommandContext): void {
  program
    .command('inspect')
    .description('show what a recording holds: runs, identity, checkpoints, how much of each')
    .argument('<recording>', 'a file or a folder')
    .option('--json', 'as JSON', false)
    .action(async (path: string, given: { json: boolean }) => {
      const refusal = (error: PlumblineError) => refusalDocument('inspect', error)
      context.exitWith(await tellingJson(given, () => inspect(path, given.json), refusal))
    })
}

async function inspect(path: string, json: boolean): Promise<ExitCode> {
  const recording = await openRecording(path)
  try {
    const exitCode = recording.faults.length > 0 ? EXIT.untrusted : EXIT.ok
    const summary = summaryOf(recording)
    if (json) writeJson(jsonOf(summary, exitCode))
    else process.stdout.write(textOf(summary))
    return exitCode
  } finally {
    recording.close()
  }
}

type Summary = ReturnType<typeof summaryOf>

function summaryOf({ path, format, faults, unguarded = [], runs }: Recording) {
  return { path, format, faults, unguarded, runs: runs.map(runSummary) }
}

function jsonOf({ faults, runs, ...summary }: Summary, exitCode: ExitCode): z.output<typeof inspectJsonSchema> {
  return {
    ...documentHead('inspect', exitCode),
    ...summary,
    unguarded: [...summary.unguarded],
    faults: faultsJson(faults),
    runs: runs.map(({ id, identity, greedy, printedDecimals, checkpoints }) => ({
      id,
      identity: snakeCase(identity),
      ...(greedy && { greedy: { token_ids: [...greedy.tokenIds], ...(greedy.gaps && { gaps: [...greedy.gaps] }) } }),
      ...(printedDecimals !== undefined && { printed_decimals: printedDecimals }),
      checkpoints,
    })),
  }
}

function runSummary({ id, identity, greedy, checkpoints, printedDecimals }: RecordedRun) {
  return {
    id,
    identity,
    ...(greedy && { greedy }),
    ...(printedDecimals !== undefined && { printedDecimals }),
    checkpoints: [...checkpoints.values()].map(checkpointSummary),
  }
}

function checkpointSummary(checkpoint: Checkpoint) {
  const { name, width, slabCount } = checkpoint
  const positions: [number, number][] = []
  const dtypes = new Set<RecordedDtype>()
  let values = 0
  let rows = 0
  for (let index = 0; index < slabCount; index++) {
    const { pos, count, dtype, coverage } = checkpoint.slab(index)
    const last = positions.at(-1)
    if (last !== undefined && last[1] + 1 === pos) last[1] = pos + count - 1
    else positions.push([pos, pos + count - 1])
    dtypes.add(dtype)
    values += count * coverage.perRow
    rows += count
  }
  return {
    name,
    width,
    dtypes: [...dtypes],
    positions,
    coverage: width === 0 ? null : values / (rows * width),
  }
}

const SHOWN_IDS = 12

function textOf({ path, format, runs, faults, unguarded }: Summary): string {
  const lines = [`${path}: ${format}, ${runs.length} ${runs.length === 1 ? 'run' : 'runs'}`]
  for (const { id, identity, printedDecimals, checkpoints } of runs) {
    lines.push('', `run ${id}`)
    for (const [name, value] of Object.entries(identity)) lines.push(`  ${name.padEnd(20)} ${shown(value)}`)
    if (printedDecimals !== undefined) lines.push(`  values were printed with ${printedDecimals} decimals`)
    lines.push(`  ${checkpoints.length} checkpoints:`)
    for (const { name, width, dtypes, positions, coverage } of checkpoints) {
      const ranges = positions.slice(0, 4).map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`))
      const more = positions.length > 4 ? ', …' : ''
      const part = coverage === null ? 'of unknown width' : coverage === 1 ? '' : `${(100 * coverage).toPrecision(3)} %`
      lines.push(
        `    ${name.padEnd(22)} ${String(width || '?').padStart(7)} ${dtypes.join(' ').padEnd(4)} at ${ranges.join(', ')}${more} ${part}`.trimEnd(),
      )
    }
  }
  if (unguarded.length > 0) lines.push('', ...unguarded.map((what) => `unguarded: ${what}`))
  if (faults.length > 0) lines.push('', 'faults:')
  for (const fault of faults) lines.push(`  ${fault.kind}: ${describePlace(fault)}: ${fault.message}`)
  return `${lines.join('\n')}\n`
}

function shown(value: unknown): string {
  if (!Array.isArray(value)) return String(value)
  const more = value.length > SHOWN_IDS ? `, … (${value.length})` : ''
  return `${value.slice(0, SHOWN_IDS).join(', ')}${more}`
}
