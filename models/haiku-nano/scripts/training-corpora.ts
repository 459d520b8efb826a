import { seededRandom } from './seeded-random.ts'
import { composeTrainingExample, type WordShares, wordShares } from './training-examples.ts'

/** What `training/train.sh` writes; a shard's seed is its number. */
export const shardsOfCorpus = 32
export const haikuOfShard = 20_000

/** The first shards of a corpus, haiku by haiku. */
export function* haikuOfCorpus(shares: WordShares, shards: number): Generator<string> {
  for (let shard = 0; shard < shards; shard++) {
    const random = seededRandom(shard)
    for (let count = 0; count < haikuOfShard; count++) yield composeTrainingExample(random, shares).haiku
  }
}

/**
 * Those of the texts that are a haiku of the corpora that the weights in the repository were trained on. Both are composed anew, about
 * a second a shard; `shards`: how many of each are looked through.
 */
export function findInCorpora(texts: readonly string[], shards = shardsOfCorpus): string[] {
  const wanted = new Set(texts.map((text) => text.trim().toLowerCase()))
  const found = new Set<string>()
  for (const shares of wordShares) {
    for (const haiku of haikuOfCorpus(shares, shards)) if (wanted.has(haiku)) found.add(haiku)
  }
  return [...found]
}
