/**
 * Writes the training corpus: `write-corpus.ts FOLDER SHARDS [HAIKU_PER_SHARD]`.
 *
 * FOLDER/shard-NNN.tsv has one haiku a line: topic, minute word, word, the haiku with "/" for its line breaks, and the syllables of
 * its words, a digit each. A shard's seed is its number, so every shard can be made again, alone.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { countSyllables } from '../src/index.ts'
import { seededRandom } from './seeded-random.ts'
import { haikuOfShard } from './training-corpora.ts'
import { composeTrainingExample } from './training-examples.ts'

const [folder, shards, perShard = haikuOfShard] = process.argv.slice(2)
if (folder === undefined || shards === undefined) {
  throw new Error('usage: write-corpus.ts FOLDER SHARDS [HAIKU_PER_SHARD]')
}
mkdirSync(folder, { recursive: true })
for (let shard = 0; shard < Number(shards); shard++) {
  const random = seededRandom(shard)
  const rows = Array.from({ length: Number(perShard) }, () => {
    const { request, haiku } = composeTrainingExample(random)
    const syllables = haiku.split(/\s/).map(countSyllables).join('')
    return [request.topic, request.minuteWord, request.word, haiku.replaceAll('\n', '/'), syllables].join('\t')
  })
  writeFileSync(`${folder}/shard-${String(shard).padStart(3, '0')}.tsv`, `${rows.join('\n')}\n`)
}
