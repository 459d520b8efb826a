/** What a measurement needs: the native program alone, or a server. */
export type Stage = 'generation' | 'server'

export interface Row {
  readonly name: string
  readonly title: string
  readonly unit: string
  readonly better: 'higher' | 'lower'
  readonly stage: Stage
}

const row = (name: string, title: string, unit: string, better: Row['better'], stage: Stage): Row => ({
  name,
  title,
  unit,
  better,
  stage,
})

/** All that is measured, in the order of the tables. */
export const ROWS: readonly Row[] = [
  row('load', 'load to ready, in process', 'ms', 'lower', 'generation'),
  row('prefill-16', 'prefill, 16 tokens', 'tokens/s', 'higher', 'generation'),
  row('prefill-128', 'prefill, 128 tokens', 'tokens/s', 'higher', 'generation'),
  row('prefill-512', 'prefill, 512 tokens', 'tokens/s', 'higher', 'generation'),
  row('decode', 'decode', 'tokens/s', 'higher', 'generation'),
  row('spawn', 'spawn to healthy', 'ms', 'lower', 'server'),
  row('first-token', 'time to first token over HTTP, 16 tokens of prompt', 'ms', 'lower', 'server'),
  row('stream', 'tokens over HTTP', 'tokens/s', 'higher', 'server'),
  row('stream-share', 'tokens over HTTP, of the raw decode of the same round', '×', 'higher', 'server'),
  row('cpu', 'CPU time per streamed token', 'µs', 'lower', 'server'),
  row('cpu-front', 'CPU time per streamed token, front process', 'µs', 'lower', 'server'),
  row('cpu-engine', 'CPU time per streamed token, engine process', 'µs', 'lower', 'server'),
  row('health', '/health p99 while generating', 'ms', 'lower', 'server'),
  row('memory', 'memory (PSS) after generating', 'MiB', 'lower', 'server'),
  row('memory-front', 'memory (PSS), front process', 'MiB', 'lower', 'server'),
  row('memory-engine', 'memory (PSS), engine process', 'MiB', 'lower', 'server'),
]

/** The rows of these names, or of names that begin so: `prefill` is all three. Throws a RangeError for a name that is none. */
export function selectRows(names: readonly string[]): readonly Row[] {
  if (names.length === 0) return ROWS
  const matches = (name: string) => ROWS.filter((row) => row.name === name || row.name.startsWith(`${name}-`))
  const unknown = names.find((name) => matches(name).length === 0)
  if (unknown !== undefined) {
    throw new RangeError(`no row ${unknown}; there are ${ROWS.map(({ name }) => name).join(', ')}`)
  }
  return ROWS.filter((row) => names.some((name) => matches(name).includes(row)))
}
