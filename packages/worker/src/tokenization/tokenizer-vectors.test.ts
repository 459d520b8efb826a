import { readFileSync } from 'node:fs'
import { asset, committedAsset, describeWithAssets } from '@plumbline/protocol/testing'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { readTokenizerMetadata } from '../../test/gguf-tokenizer-metadata.ts'
import { buildTokenizer, type Tokenizer } from './tokenizer.ts'
import type { TokenizerMetadata } from './tokenizer-metadata.ts'

interface ReferenceRecord {
  readonly name: string
  readonly prompt: string
  readonly ids: number[]
}

const recordsOf = (path: string) => (JSON.parse(readFileSync(path, 'utf8')) as { records: ReferenceRecord[] }).records

/** llama.cpp's `models/ggml-vocab-*.gguf.inp` and `.out`: texts and their ids, without BOS. */
function vectors(path: string): { text: string; ids: number[] }[] {
  const texts = readFileSync(`${path}.inp`, 'utf8').split('\n__ggml_vocab_test__\n')
  const lines = readFileSync(`${path}.out`, 'utf8').split('\n')
  // Both files end with what separates: the last text and the last line are none.
  expect([texts.pop(), lines.pop()]).toEqual(['', ''])
  expect(texts.length).toBe(lines.length)
  return texts.map((text, index) => ({ text, ids: lines[index]!.trim().split(' ').filter(Boolean).map(Number) }))
}

function decode(tokenizer: Tokenizer, ids: Uint32Array): string {
  return Buffer.concat(Array.from(ids, (id) => tokenizer.decodeBytes(id))).toString()
}

/** In time of the processor, of which other processes take none away. */
function timed<T>(action: () => T): { value: T; ms: number } {
  const start = process.cpuUsage()
  const value = action()
  const { user, system } = process.cpuUsage(start)
  return { value, ms: (user + system) / 1_000 }
}

/** The longest prompts that a request may hold, of kinds that are hard on one part or another. */
const LONGEST_PROMPTS = {
  'of English': 'The quick brown fox jumps over the lazy dog. '.repeat(1_000).slice(0, 32_768),
  'of one letter': 'a'.repeat(32_768),
  'of one word': Array.from({ length: 32_768 }, (_, index) => String.fromCharCode(97 + ((index * index) % 26))).join(
    '',
  ),
  'of Chinese characters': Array.from({ length: 32_768 }, (_, index) =>
    String.fromCharCode(0x4e00 + ((index * 7_919) % 20_000)),
  ).join(''),
  'of spaces': ' '.repeat(32_768),
  'of emoji': '🦙'.repeat(16_384),
} as const

describeWithAssets(describe, 'the vocabularies of llama.cpp', () => {
  describe.each(['gpt-2', 'llama-bpe', 'llama-spm', 'phi-3', 'qwen2'])('%s', (name) => {
    const path = () => asset(`tokenizer-vectors/ggml-vocab-${name}.gguf`)
    let metadata: TokenizerMetadata
    let tokenizer: Tokenizer
    beforeAll(() => {
      metadata = { ...readTokenizerMetadata(path()), addBos: false }
      tokenizer = buildTokenizer(metadata)
    })

    it('gives every text its recorded ids', () => {
      const all = vectors(path())
      expect(all).toHaveLength(46)
      for (const { text, ids } of all) expect([...tokenizer.encodePrompt(text)], JSON.stringify(text)).toEqual(ids)
    })

    it('decodes what it encodes', () => {
      const prefix = tokenizer.kind === 'sentencepiece' ? ' ' : ''
      const piece = fc.oneof(fc.constantFrom(' ', '\n', 'e', 'the', "'s", '12'), fc.string({ unit: 'binary' }))
      const text = fc.string({ unit: piece }).filter((text) => text !== '' && !text.includes('▁'))
      fc.assert(
        fc.property(text, (text) => {
          expect(decode(tokenizer, tokenizer.encodePrompt(text))).toBe(prefix + text)
        }),
      )
    })

    // Measured: 0.2 s for Qwen2's vocabulary, 60 ms for the hardest prompt. These are deadlines.
    it('is built in less than 3 s', () => {
      expect(timed(() => buildTokenizer(metadata)).ms).toBeLessThan(3_000)
    })

    it.each(Object.entries(LONGEST_PROMPTS))('encodes the longest prompt %s in less than 1 s', (_, prompt) => {
      const { value, ms } = timed(() => tokenizer.encodePrompt(prompt))
      expect(decode(tokenizer, value).trimStart()).toBe(prompt.trimStart())
      expect(ms).toBeLessThan(1_000)
    })
  })
})

describeWithAssets(describe, 'the prompts of the reference records', () => {
  const models = ['stories15M-q8_0', 'smollm2-135m-instruct-q4_1', 'random-qwen2-q4_k_m', 'random-llama-q6_k']
  it.each(models)('%s', (model) => {
    const tokenizer = buildTokenizer(readTokenizerMetadata(asset(`models/${model}.gguf`)))
    const records = recordsOf(asset(`reference/llama.cpp/${model}.json`))
    expect(records).toHaveLength(3)
    for (const { prompt, ids } of records) {
      // Some are what a template made of one user message; the system message before it is the template's own.
      const user = /<\|im_start\|>user\n(?<content>.*)<\|im_end\|>\n<\|im_start\|>assistant\n$/su.exec(prompt)
      const content = user?.groups?.content
      const encoded =
        content === undefined ? tokenizer.encodePrompt(prompt) : tokenizer.encodeChat([{ role: 'user', content }])
      expect([...encoded], prompt).toEqual(ids)
    }
  })
})

describe('stories260K', () => {
  const tokenizer = buildTokenizer(readTokenizerMetadata(committedAsset('stories260K/stories260K-f32.gguf')))

  it.each(recordsOf(committedAsset('stories260K/llama.cpp.json')))('encodes $name', ({ prompt, ids }) => {
    expect([...tokenizer.encodePrompt(prompt)]).toEqual(ids)
  })

  it('falls back to bytes for what it has no token for', () => {
    const ids = tokenizer.encodePrompt('🦙')
    expect(decode(tokenizer, ids)).toBe(' 🦙')
    expect([...ids].slice(-4)).toEqual([...Buffer.from('🦙')].map((byte) => byte + 3))
  })

  it('has no chat template, and says so', () => {
    expect(() => tokenizer.encodeChat([{ role: 'user', content: 'Hello' }])).toThrow(/no chat template/)
  })
})
