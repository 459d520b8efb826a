import { readFileSync } from 'node:fs'
import { asset, committedAsset, describeWithAssets } from '@plumbline/protocol/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tokenizerMetadataOf } from '../../test/gguf-tokenizer-metadata.ts'
import { buildTokenizer, type Tokenizer } from './tokenizer.ts'

interface ReferenceRecord {
  readonly name: string
  readonly prompt: string
  readonly ids: number[]
}

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

function timed<T>(action: () => T): { value: T; ms: number } {
  const start = performance.now()
  return { value: action(), ms: performance.now() - start }
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
  for (const name of ['gpt-2', 'llama-bpe', 'llama-spm', 'phi-3', 'qwen2']) {
    describe(name, () => {
      const path = asset(`tokenizer-vectors/ggml-vocab-${name}.gguf`)
      const metadata = tokenizerMetadataOf(path)
      const built = timed(() => buildTokenizer(metadata))
      const tokenizer = built.value
      const withoutBos = buildTokenizer({ ...metadata, addBos: false })

      it.each(vectors(path))('encodes $text', ({ text, ids }) => {
        expect([...withoutBos.encodePrompt(text)]).toEqual(ids)
      })

      it('decodes what it encodes', () => {
        const prefix = tokenizer.kind === 'sentencepiece' ? ' ' : ''
        const text = fc.string({
          unit: fc.oneof(fc.constantFrom(' ', '\n', 'e', 'the', "'s", '12'), fc.string({ unit: 'binary' })),
        })
        fc.assert(
          fc.property(
            text.filter((text) => text !== '' && !text.includes('▁')),
            (text) => {
              expect(decode(tokenizer, withoutBos.encodePrompt(text))).toBe(prefix + text)
            },
          ),
          { numRuns: 300 },
        )
      })

      // Measured: 0.15 s for Qwen2's vocabulary and 60 ms for the hardest prompt; these are deadlines.
      it('is built in less than 3 s', () => expect(built.ms).toBeLessThan(3_000))
      it.each(Object.entries(LONGEST_PROMPTS))('encodes the longest prompt %s in less than 1 s', (_, prompt) => {
        const { value, ms } = timed(() => withoutBos.encodePrompt(prompt))
        expect(decode(tokenizer, value).trimStart()).toBe(prompt.trimStart())
        expect(ms).toBeLessThan(1_000)
      })
    })
  }
})

describeWithAssets(describe, 'the prompts of the reference records', () => {
  for (const model of ['stories15M-q8_0', 'smollm2-135m-instruct-q4_1', 'random-qwen2-q4_k_m', 'random-llama-q6_k']) {
    const { records } = JSON.parse(readFileSync(asset(`reference/llama.cpp/${model}.json`), 'utf8')) as {
      records: ReferenceRecord[]
    }
    const tokenizer = buildTokenizer(tokenizerMetadataOf(asset(`models/${model}.gguf`)))
    it.each(records)(`${model} $name`, ({ prompt, ids }) => {
      // Some are what a template made of one user message; the system message before it is the template's own.
      const user = /<\|im_start\|>user\n(?<content>.*)<\|im_end\|>\n<\|im_start\|>assistant\n$/su.exec(prompt)
      const content = user?.groups?.content
      const encoded =
        content === undefined ? tokenizer.encodePrompt(prompt) : tokenizer.encodeChat([{ role: 'user', content }])
      expect([...encoded]).toEqual(ids)
    })
  }
})

describe('stories260K', () => {
  const tokenizer = buildTokenizer(tokenizerMetadataOf(committedAsset('stories260K/stories260K-f32.gguf')))
  const { records } = JSON.parse(readFileSync(committedAsset('stories260K/llama.cpp.json'), 'utf8')) as {
    records: ReferenceRecord[]
  }

  it.each(records)('encodes $name', ({ prompt, ids }) => {
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
