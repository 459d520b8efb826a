import { expect, test } from 'vitest'
import { haikuOfCorpus, haikuOfShard, shardsOfCorpus } from '../scripts/training-corpora.ts'
import { wordShares } from '../scripts/training-examples.ts'
import { heldOutWords } from '../src/index.ts'

test.each([...wordShares.entries()])(
  'no held-out word in any of the 640,000 haiku of training corpus %i, and next to no haiku in it twice',
  (_, shares) => {
    const heldOut = new Set(heldOutWords)
    const found: string[] = []
    const different = new Set<string>()
    for (const haiku of haikuOfCorpus(shares, shardsOfCorpus)) {
      different.add(haiku)
      found.push(...haiku.split(/[\s-]/).filter((word) => heldOut.has(word)))
    }
    expect(found).toEqual([])
    expect(different.size).toBeGreaterThan(0.999 * shardsOfCorpus * haikuOfShard)
  },
  600_000,
)
