import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { EXIT, PlumblineError } from '@plumbline/protocol'
import type { Command } from 'commander'
import type { z } from 'zod'
import { openRecording } from '../formats/open-recording.ts'
import { writeRecording } from '../formats/write/write-recording.ts'
import { documentHead, refusalDocument, writeJson } from '../report/json-document.ts'
import type { queryJsonSchema } from '../report/recording-json.ts'
import type { CommandContext } from './context.ts'
import { tellingJson } from './report-options.ts'

/** `query`: SQL over the values of recordings. */
export function addQueryCommand(program: Command, context: CommandContext): void {
  program
    .command('query')
    .description(
      'ask recordings in SQL (DuckDB): a row a value in table `recordings`, with the columns file, run, checkpoint, layer, op, phase, pos, col, value',
    )
    .argument('<sql>', 'e.g. "SELECT checkpoint, max(abs(value)) FROM recordings GROUP BY 1"')
    .argument('<recordings...>', 'Parquet as `convert` writes it; others are converted first')
    .option('--json', 'the rows as JSON', false)
    .action(async (sql: string, paths: string[], given: { json: boolean }) => {
      const refusal = (error: PlumblineError) => refusalDocument('query', error)
      const answer = await tellingJson(given, () => query(sql, paths), refusal)
      if (given.json)
        writeJson({ ...documentHead('query', EXIT.ok), ...answer } satisfies z.output<typeof queryJsonSchema>)
      else process.stdout.write(tableOf(answer))
      context.exitWith(EXIT.ok)
    })
}

async function query(sql: string, paths: readonly string[]): Promise<Answer> {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-parity-'))
  try {
    const files = []
    for (const [index, path] of paths.entries()) files.push(await asParquet(path, join(folder, `${index}.parquet`)))
    return await ask(sql, paths, files, folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function asParquet(path: string, converted: string): Promise<string> {
  const recording = await openRecording(path)
  try {
    const [fault] = recording.faults
    if (fault !== undefined)
      throw new PlumblineError('INVALID_RECORDING', `${fault.file}: ${fault.message}`, { ...fault })
    if (recording.format === 'parquet') return resolve(path)
    await writeRecording(recording, 'parquet', converted)
    return converted
  } finally {
    recording.close()
  }
}

interface Answer {
  readonly columns: string[]
  readonly rows: Record<string, unknown>[]
}

async function ask(
  sql: string,
  paths: readonly string[],
  files: readonly string[],
  temporary: string,
): Promise<Answer> {
  // Tens of megabytes of native code that no other command needs.
  const { DuckDBInstance, StatementType } = await import('@duckdb/node-api')
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: '256MB',
    threads: '2',
    temp_directory: temporary,
  })
  const connection = await instance.connect()
  try {
    const parts = files.map(
      (file, index) => `SELECT ${text(paths[index]!)} AS file, * FROM read_parquet(${text(file)})`,
    )
    await connection.run(`CREATE VIEW recordings AS ${parts.join(' UNION ALL ')}`)
    // Nothing is read but the recordings, and nothing is written: COPY would write even to those.
    await connection.run(`SET allowed_paths = [${files.map(text).join(', ')}]`)
    await connection.run('SET enable_external_access = false')
    await connection.run('SET lock_configuration = true')
    const statements = await connection.extractStatements(sql)
    if (statements.count !== 1) throw new Error(`it is ${statements.count} statements, must be one SELECT`)
    const statement = await statements.prepare(0)
    if (statement.statementType !== StatementType.SELECT && statement.statementType !== StatementType.EXPLAIN) {
      throw new Error('it is no SELECT, and recordings are only read')
    }
    const result = await statement.runAndReadAll()
    return { columns: result.deduplicatedColumnNames(), rows: result.getRowObjectsJson() }
  } catch (error) {
    throw new PlumblineError('INVALID_OPTION', `the query cannot be answered: ${(error as Error).message}`, {}, error)
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}

function tableOf({ columns: names, rows }: Answer): string {
  if (rows.length === 0) return '(no rows)\n'
  const cells = [names, ...rows.map((row) => names.map((name) => String(row[name])))]
  const widths = names.map((_, column) => cells.reduce((most, row) => Math.max(most, row[column]!.length), 0))
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
