// Remakes docs/measurements/planted-mistakes.md and .json: node --conditions=source scripts/planted-mistakes.ts
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { EXIT } from '@plumbline/protocol'
import { buildPlantedAddon, kindOf, NATIVE_MISTAKES, NativePlanter } from '../test/native-mistakes.ts'
import {
  casesOf,
  casesOfValues,
  oneOfEachKind,
  type PlantedResult,
  Planter,
  SUBJECTS,
  type Tally,
  tally,
} from '../test/planted-mistakes.ts'
import { LEVELS, plantUnlisted, type UnlistedResult } from '../test/unlisted-mistakes.ts'

buildPlantedAddon()
const native = new NativePlanter()
const nativeRows: string[] = []
for (const [mistake, checkpoint] of NATIVE_MISTAKES) {
  for (const precision of ['exact', 'fast']) {
    const { verdict, divergence } = await native.compare(mistake, precision)
    const cause = divergence?.cause
    const right = divergence?.checkpoint === checkpoint && cause?.mistake === kindOf(mistake)
    const found = [verdict.outcome, divergence?.checkpoint, divergence?.origin, cause?.mistake, cause?.confidence]
    nativeRows.push(`| ${[mistake, precision, checkpoint, ...found, right ? 'yes' : 'no'].join(' | ')} |`)
  }
}
native.close()

const results: PlantedResult[] = []
const ofValues: PlantedResult[] = []
for (const open of Object.values(SUBJECTS)) {
  const planter = new Planter(open())
  ofValues.push(...casesOfValues(planter.subject).map((planted) => planter.run(planted)))
  for (const activations of ['F64', 'Q8'] as const) {
    const everywhere = casesOf(planter.subject, activations)
    const cases = activations === 'F64' ? everywhere : oneOfEachKind(everywhere)
    for (const [index, planted] of cases.entries()) {
      results.push(planter.run(planted))
      process.stderr.write(`\r${planter.subject.name} ${activations} ${index + 1}/${cases.length} `)
    }
    process.stderr.write('\n')
    console.log(planter.subject.name, activations, tally(results.slice(-cases.length)))
  }
}

const unlisted = new Map<string, UnlistedResult[]>()
for (const [name, open] of Object.entries(SUBJECTS)) {
  const subject = open()
  unlisted.set(`${name}, middle layer`, [...plantUnlisted(subject)])
  unlisted.set(`${name}, every layer`, [...plantUnlisted(subject, LEVELS, true)])
  console.log(name, 'unlisted')
}

const folder = fileURLToPath(new URL('../../../docs/measurements/', import.meta.url))
mkdirSync(folder, { recursive: true })
const exact = results.filter(({ activations }) => activations === 'F64')
const noisy = results.filter(({ activations }) => activations === 'Q8')
writeFileSync(`${folder}planted-mistakes.md`, markdown())
const columns = [
  'subject',
  'activations',
  'mistake',
  'checkpoint',
  'phase',
  'size',
  'outcome',
  'found',
  'origin',
  'cause',
  'confidence',
] as const
const rows = results
  .filter(({ outcome }) => outcome !== 'not applicable')
  .map((result) => columns.map((column) => (column === 'size' ? Number(result.size.toPrecision(2)) : result[column])))
writeFileSync(
  `${folder}planted-mistakes.json`,
  `{"columns":${JSON.stringify(columns)},\n"traces":[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]}\n`,
)
console.log({ exact: tally(exact), quantised: tally(noisy) })

function markdown(): string {
  const models = Object.keys(SUBJECTS)
  const of = (list: readonly PlantedResult[], key: 'subject' | 'mistake' | 'phase', value: string) =>
    tally(list.filter((result) => result[key] === value))
  const kinds = [...new Set(exact.map(({ mistake }) => mistake))]
  const missing = exact.filter(({ outcome }) => outcome === 'below tolerance')
  return `# Planted mistakes

Every kind of mistake of \`packages/parity/src/mistakes/\`, planted by the oracle in the first, the middle and the last layer, in prefill
and in decoding, of four models, and then looked for by \`compare\`. Remade by \`pnpm --filter @plumbline/parity planted-mistakes\`.

A cause counts as right when it is the first that is named. "Named" counts those, too, that stand among the alternatives: some
mistakes are one and the same on the data at hand (position 0 of a chunk is no rotation).

How far this goes: the oracle plants with the same catalogue that \`compare\` tries causes from, so in its tables "right cause" shows that
causes are told apart, not that a mistake outside of the catalogue would be named; "detected" and "exact op" do not read the catalogue.
The independent rows are those of the native core at the end: other code, in C++, made wrong without it.

## Against a float64 candidate

${table('model', [...models.map((name) => [name, of(exact, 'subject', name)] as const), ['all', tally(exact)]])}

${table(
  'phase',
  ['prefill', 'decode'].map((phase) => [phase, of(exact, 'phase', phase)] as const),
)}

Planted, but smaller at their own op than the profile's tolerance, so no divergence: ${missing.length} (${[
    ...new Set(missing.map(({ mistake }) => mistake)),
  ].join(', ')}).

${table(
  'mistake',
  kinds.map((kind) => [kind, of(exact, 'mistake', kind)] as const),
)}

## Against a candidate with 8-bit activations

The same mistakes, each in one place and phase at a time, in a forward pass whose matrices read inputs rounded to 8 bits, under the profile \`quantised-activations\`: every op is
replayed on its own inputs, rounded as the candidate rounds them. Left out are those that change less than float32 does: ${noisy.filter(({ outcome }) => outcome === 'below tolerance').length} (${[
    ...new Set(noisy.flatMap(({ outcome, mistake }) => (outcome === 'below tolerance' ? [mistake] : []))),
  ].join(', ')}).

${table('model', [...models.map((name) => [name, of(noisy, 'subject', name)] as const), ['all', tally(noisy)]])}

## Parameters that no list has

Mistakes with a parameter that the catalogue does not try by itself (a RoPE base of 40000, a sliding window of 3, the row of one position in the cache): it is found from what was recorded. The right cause must say the right parameter, too.

${valuesTable()}

## Mistakes that are not in the catalogue

\`packages/parity/test/fixtures/unlisted-mistakes.ts\`: one head, one row, one channel or one position wrong, 8-bit activations, no cause to be named. Found at their op, by what the
candidate recorded. Logits alone, and layers alone, hide what is less than the noise: "not shown to be the same", exit 3, is then the verdict of all that are not found.

${unlistedTable()}

## Made by the native core

The same kinds in C++, in an addon that only tests link (\`packages/cuda-core/native/test/planted\`), traced by the worker on
haiku-nano-q8_0 and held against the oracle.

| mistake | precision | made at | verdict | found at | origin | cause | confidence | right |
|${' --- |'.repeat(9)}
${nativeRows.join('\n')}
`
}

function isFound({ exitCode }: UnlistedResult): boolean {
  return exitCode === EXIT.judgedFailed || exitCode === EXIT.untrusted
}

function unlistedTable(): string {
  const counts = [...unlisted].map(([where, list]) => {
    const cells = LEVELS.map((level) => {
      const ofLevel = list.filter((result) => result.level === level)
      const found = ofLevel.filter(isFound)
      const unshown = ofLevel.filter(({ exitCode }) => exitCode === EXIT.notComparable).length
      const atOp = found.filter((result) => result.found === result.checkpoint).length
      const place = level === 'ops' ? `, ${atOp} at their op` : ''
      return `${found.length} of ${ofLevel.length}${place}${unshown === 0 ? '' : `, ${unshown} not shown`}`
    })
    return `| ${[where, ...cells].join(' | ')} |`
  })
  const [first] = unlisted.values()
  const sizes = first!
    .filter(({ level }) => level === 'ops')
    .map(({ mistake, checkpoint, size }) => {
      const found = LEVELS.filter((level) =>
        first!.some((one) => one.mistake === mistake && one.level === level && isFound(one)),
      )
      return `| ${[mistake, checkpoint, Number(size.toPrecision(2)), found.join(', ')].join(' | ')} |`
    })
  return [
    `| model and place | ${LEVELS.join(' | ')} |`,
    '| --- | --- | --- | --- |',
    ...counts,
    '',
    `Of ${[...unlisted.keys()][0]}:`,
    '',
    '| mistake | at | NMSE there | found in |',
    '| --- | --- | --- | --- |',
    ...sizes,
  ].join('\n')
}

function table(head: string, rows: readonly (readonly [string, Tally])[]): string {
  const share = (part: number, whole: number) => (whole === 0 ? '' : `${part} (${((100 * part) / whole).toFixed(1)} %)`)
  const lines = rows
    .filter(([, { traces }]) => traces > 0)
    .map(([name, t]) => {
      const cells = [t.detected, t.exactOp, t.withinOneOp, t.rightCause, t.causeNamed].map((n) => share(n, t.traces))
      return `| ${[name, ...(head === 'mistake' ? [] : [t.kinds]), t.traces, ...cells].join(' | ')} |`
    })
  const columns = [
    head,
    ...(head === 'mistake' ? [] : ['kinds']),
    'traces',
    'detected',
    'exact op',
    'within one op',
    'right cause',
    'cause named',
  ]
  return [`| ${columns.join(' | ')} |`, `|${columns.map(() => ' --- |').join('')}`, ...lines].join('\n')
}

function valuesTable(): string {
  const counted = ofValues.filter(({ outcome }) => outcome === 'found' || outcome === 'missed')
  const rows = [...new Set(counted.map(({ mistake }) => mistake))].map((kind) => {
    const of = counted.filter(({ mistake }) => mistake === kind)
    const right = of.filter(({ cause, message, value }) => cause === kind && message!.includes(`${value}`))
    const values = [...new Set(of.map(({ value }) => value))].join(', ')
    return `| ${kind} | ${values} | ${of.length} | ${right.length} |`
  })
  return ['| mistake | parameters | traces | cause and parameter named |', '| --- | --- | --- | --- |', ...rows].join(
    '\n',
  )
}
