import type { HonestPair } from './helpers/honest-pairs.ts'

/** docs/measurements/honest-pairs.md */
export function honestPairsMarkdown(pairs: readonly HonestPair[]): string {
  const alarms = pairs.filter(({ alarm }) => alarm !== undefined)
  return `# Honest pairs

Two recordings of one computation, made in two honest ways, and what \`compare\` says of them. Remade by
\`pnpm --filter @plumbline/parity honest-pairs\`, which needs the test assets and a built worker.

${pairs.length} pairs, ${alarms.length === 0 ? 'no alarm' : `${alarms.length} of them with an alarm`}, ${pairs.filter(({ outcome }) => outcome === 'not-shown').length} not shown. An alarm is a verdict other than "same", "within tolerance" and, where one
side holds only a part of the values (llama.cpp's ten largest logits), "partial"; or greedy continuations that part otherwise than by a tie.
"Not shown" is none: the values are within coarse noise, but not every op could be replayed, so that a mistake could be lost in it.

The profile is the one that \`compare\` chose by what the sides state of their arithmetic. The last column is the largest share of its tolerance
that any row of these pairs took: at 100 % it would be an alarm. The tolerances come from floors that \`measure-noise\` took on these models, the
worker's \`fast\` and llama.cpp against Transformers on these very prompts among them: of such pairs the column shows the room that the ladder
leaves. Threads, chunks, decoded tokens and all pairs with the oracle but the rounded ones were no part of it.

## By kind

${table('kind', pairs, ({ kind }) => kind)}

## By model

${table('model', pairs, ({ model }) => model)}

## By kind and model

${table('kind | model', pairs, ({ kind, model }) => `${kind} | ${model}`)}
${alarms.length === 0 ? '' : `\n## Alarms\n\n${alarms.map(({ model, prompt, kind, how, alarm }) => `- ${model}, ${prompt}, ${kind}${how === '' ? '' : ` (${how})`}: ${alarm}`).join('\n')}\n`}`
}

/** Every pair, a line each. */
export function honestPairsJson(pairs: readonly HonestPair[]): string {
  const columns = ['model', 'kind', 'prompt', 'how', 'profile', 'outcome', 'share', 'alarm'] as const
  const rows = pairs.map((pair) =>
    columns.map((column) => (column === 'share' ? Number(pair.share.toPrecision(2)) : (pair[column] ?? null))),
  )
  return `{"columns":${JSON.stringify(columns)},\n"pairs":[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]}\n`
}

function table(head: string, pairs: readonly HonestPair[], keyOf: (pair: HonestPair) => string): string {
  const groups = new Map<string, HonestPair[]>()
  for (const pair of pairs) groups.set(keyOf(pair), [...(groups.get(keyOf(pair)) ?? []), pair])
  const rows = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, group]) => `| ${key} | ${cells(group)} |`)
  const columns = [
    ...head.split(' | '),
    'profile',
    'pairs',
    'bit for bit',
    'within tolerance',
    'not shown',
    'partial',
    'alarms',
  ]
  return [
    `| ${[...columns, 'most of tolerance'].join(' | ')} |`,
    `|${' --- |'.repeat(columns.length + 1)}`,
    ...rows,
  ].join('\n')
}

function cells(pairs: readonly HonestPair[]): string {
  const profiles = [...new Set(pairs.map(({ profile }) => profile))].sort().join(', ')
  const sound = pairs.filter(({ alarm }) => alarm === undefined)
  const [same, within, unshown, partial] = (['same', 'within-tolerance', 'not-shown', 'partial'] as const).map(
    (outcome) => sound.filter((pair) => pair.outcome === outcome).length,
  )
  const share = 100 * Math.max(...pairs.map((pair) => pair.share))
  const alarms = pairs.length - sound.length
  return [profiles, pairs.length, same, within, unshown, partial, alarms, `${Number(share.toPrecision(2))} %`].join(
    ' | ',
  )
}
