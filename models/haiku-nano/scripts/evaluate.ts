/**
 * Measures a GGUF on fresh challenges with held-out words: `evaluate.ts MODEL [--challenges 1000] [--temperature T] [--top-p P] [--seed N]
 * [--corpus FOLDER] [--show 20]`.
 *
 * The model is run by PyTorch (training/sample.py; $PYTHON, else python3). --corpus looks each haiku up in the training corpus.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import {
  countSyllables,
  countWord,
  type HaikuRequest,
  heldOutWords,
  linesOf,
  minuteWords,
  topics,
} from '../src/index.ts'
import { packagePath } from '../src/lists.ts'
import { seededRandom } from './seeded-random.ts'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    challenges: { type: 'string', default: '1000' },
    temperature: { type: 'string', default: '0.7' },
    'top-p': { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    corpus: { type: 'string' },
    show: { type: 'string', default: '20' },
  },
})
const [model] = positionals
if (model === undefined) throw new Error('usage: evaluate.ts MODEL [options]')

const random = seededRandom(Number(options.seed))
const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
const requests: HaikuRequest[] = Array.from({ length: Number(options.challenges) }, () => ({
  topic: pick(topics),
  minuteWord: pick(minuteWords),
  word: pick(heldOutWords),
}))

const python = spawnSync(
  process.env.PYTHON ?? 'python3',
  [
    packagePath('training/sample.py'),
    ...['--model', model, '--temperature', options.temperature, '--top-p', options['top-p'], '--seed', options.seed],
  ],
  {
    input: requests.map(({ topic, minuteWord, word }) => `${topic}\t${minuteWord}\t${word}\n`).join(''),
    stdio: ['pipe', 'pipe', 'inherit'],
    maxBuffer: 2 ** 26,
    encoding: 'utf8',
  },
)
if (python.status !== 0) throw new Error(`sampling failed (status ${python.status}); is PyTorch there? Set PYTHON`)
const texts = python.stdout
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as string)

const trained = new Set<string>()
if (options.corpus !== undefined) {
  for (const name of readdirSync(options.corpus).filter((file) => file.endsWith('.tsv'))) {
    for (const row of readFileSync(`${options.corpus}/${name}`, 'utf8').trimEnd().split('\n')) {
      trained.add(row.split('\t')[3]!.replaceAll('/', '\n'))
    }
  }
}

const once = (text: string, word: string) => countWord(text, word) === 1
const pattern = (text: string) => linesOf(text).map(countSyllables).join('-')

const share = (holds: (text: string, request: HaikuRequest) => boolean) =>
  texts.filter((text, index) => holds(text, requests[index]!)).length / texts.length
const figures = {
  challenges: texts.length,
  temperature: Number(options.temperature),
  topP: Number(options['top-p']),
  minuteWordOnce: share((text, request) => once(text, request.minuteWord)),
  wordOnce: share((text, request) => once(text, request.word)),
  bothOnce: share((text, request) => once(text, request.minuteWord) && once(text, request.word)),
  threeLines: share((text) => linesOf(text).length === 3),
  fiveSevenFive: share((text) => pattern(text) === '5-7-5'),
  distinct: new Set(texts).size,
  inTrainingSet: options.corpus === undefined ? 'not looked up' : texts.filter((text) => trained.has(text)).length,
}
console.log(JSON.stringify(figures))
for (const [index, text] of texts.slice(0, Number(options.show)).entries()) {
  const { topic, minuteWord, word } = requests[index]!
  console.log(`\n${topic}, ${minuteWord}, ${word} (${pattern(text)})\n${text}`)
}
