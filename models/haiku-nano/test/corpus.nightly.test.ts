import { expect, test } from 'vitest'
import { seededRandom } from '../scripts/seeded-random.ts'
import { composeTrainingExample } from '../scripts/training-examples.ts'
import { heldOutWords } from '../src/index.ts'

const shards = 32
const perShard = 20_000

test('no held-out word in any of the 640,000 haiku of the training corpus, and next to no haiku in it twice', () => {
  const heldOut = new Set(heldOutWords)
  const found: string[] = []
  const different = new Set<string>()
  for (let shard = 0; shard < shards; shard++) {
    const random = seededRandom(shard)
    for (let count = 0; count < perShard; count++) {
      const { haiku } = composeTrainingExample(random)
      different.add(haiku)
      found.push(...haiku.split(/[\s-]/).filter((word) => heldOut.has(word)))
    }
  }
  expect(found).toEqual([])
  expect(different.size).toBeGreaterThan(0.999 * shards * perShard)
}, 600_000)
