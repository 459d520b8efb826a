import { embed, type OpSite } from '../graph/op-site.ts'
import type { Mistake } from './mistake.ts'

function rowsOf(site: OpSite, ids: readonly number[]): Float64Array {
  return embed(ids, site.model.weights.tokenEmbedding.weight, site.config.embeddingLength)
}

const placeAndId = (parameter: number, { model }: OpSite) =>
  [Math.floor(parameter / model.vocabSize), parameter % model.vocabSize] as const

/** The next token id in the place of the one at a position. */
function besideAt(site: OpSite, position: number): number {
  const { vocabSize } = site.model
  return position * vocabSize + ((site.tokenIds(position, 1)[0]! + 1) % vocabSize)
}

/** The id whose row of the table is nearest to a recorded one. */
function nearestRow(site: OpSite, recorded: Float64Array): number {
  const { weight, rows, columns } = site.model.weights.tokenEmbedding
  let best = { id: 0, error: Number.POSITIVE_INFINITY }
  for (let id = 0; id < rows; id++) {
    let error = 0
    for (let i = 0; i < columns && error < best.error; i++) error += (weight[id * columns + i]! - recorded[i]!) ** 2
    if (error < best.error) best = { id, error }
  }
  return best.id
}

/** Of the token embedding. */
export const EMBEDDING_MISTAKES: readonly Mistake[] = [
  {
    name: 'double-bos',
    description: 'has every token one position late, as behind a second BOS',
    ops: ['token_embd'],
    compute: (site) => {
      const { first, count } = site
      const before = first === 0 ? [site.tokenIds(0, 1)[0]!] : site.tokenIds(first - 1, 1)
      return rowsOf(site, [...before, ...site.tokenIds(first, count - 1)])
    },
  },
  {
    name: 'embedding-row-off-by-one',
    description: 'takes the row of the token id plus one',
    ops: ['token_embd'],
    parameters: () => [1, -1],
    compute: (site, step) => {
      const { vocabSize } = site.model
      return rowsOf(
        site,
        site.tokenIds().map((id) => (id + step + vocabSize) % vocabSize),
      )
    },
  },
  {
    name: 'embedding-row-wrong',
    description: 'holds the row of another token at one position:',
    ops: ['token_embd'],
    // Position * vocabulary + id.
    parameters: (site) => (site.tokenIds(0, site.first + site.count).length < 2 ? [] : [besideAt(site, 1)]),
    estimate: (site, recorded) => {
      const id = nearestRow(site, recorded)
      return id === site.tokenIds()[0] ? [] : [site.first * site.model.vocabSize + id]
    },
    showParameter: (parameter, site) => {
      const [position, id] = placeAndId(parameter, site)
      return `at token ${position} that of id ${id} in the place of ${site.source.tokenIds[position]}`
    },
    compute: (site, parameter) => {
      const [position, id] = placeAndId(parameter, site)
      return rowsOf(
        site,
        site.tokenIds().map((own, i) => (site.first + i === position ? id : own)),
      )
    },
  },
  {
    name: 'token-id-truncated',
    description: 'keeps only the low 8 bits of the token id',
    ops: ['token_embd'],
    compute: (site) =>
      rowsOf(
        site,
        site.tokenIds().map((id) => id & 0xff),
      ),
  },
  {
    name: 'embedding-scaled',
    description: 'is multiplied by the square root of its width, as Gemma does',
    ops: ['token_embd'],
    compute: (site) => site.right().map((value) => value * Math.sqrt(site.config.embeddingLength)),
  },
  {
    name: 'embedding-transposed',
    description: 'is read as if the table were stored column by column',
    ops: ['token_embd'],
    compute: (site) => {
      const { weight, rows, columns } = site.model.weights.tokenEmbedding
      const ids = site.tokenIds()
      return Float64Array.from(
        { length: ids.length * columns },
        (_, i) => weight[(i % columns) * rows + ids[Math.floor(i / columns)]!]!,
      )
    },
  },
]
