import { afterAll, describe, expect, test } from 'vitest'
import { fakeTokenizer } from '../../test/fixtures/fake-script.ts'
import { encodePrompt, type Prompt, PromptEncoder } from './prompt-encoder.ts'
import { buildTokenizer } from './tokenizer.ts'
import type { TokenizerMetadata } from './tokenizer-metadata.ts'

const { tokenTypes, ...rest } = fakeTokenizer()
const metadata: TokenizerMetadata = { ...rest, tokenTypes: Int32Array.from(tokenTypes) }
const tokenizer = buildTokenizer(metadata)
const encoder = new PromptEncoder(tokenizer, metadata)
afterAll(() => encoder.dispose())

const long = 'plumb line, né 🌸 '.repeat(1_000)

describe('PromptEncoder', () => {
  test.each<[string, Prompt]>([
    ['a short prompt', { prompt: 'plumb' }],
    ['a long prompt', { prompt: long }],
    ['long messages', { messages: [{ role: 'user', content: long }] }],
  ])('encodes %s as the tokenizer does', async (_name, prompt) => {
    expect(await encoder.encode(prompt)).toEqual(encodePrompt(tokenizer, prompt))
  })

  test('long prompts do not hold up the event loop', async () => {
    let turns = 0
    const turning = setInterval(() => turns++, 1)
    await Promise.all(Array.from({ length: 20 }, () => encoder.encode({ prompt: long })))
    clearInterval(turning)
    expect(turns).toBeGreaterThan(5)
  })

  test('what the chat template refuses is an InvalidRequestError, from the thread too', async () => {
    const { chatTemplate: _none, ...bare } = metadata
    const without = new PromptEncoder(buildTokenizer(bare), bare)
    for (const content of ['short', long]) {
      await expect(without.encode({ messages: [{ role: 'user', content }] })).rejects.toMatchObject({
        code: 'INVALID_REQUEST',
        errors: [{ field: 'messages' }],
      })
    }
    without.dispose()
  })

  test('a thread that ends fails what it was at, and the next long prompt gets a new one', async () => {
    // Long enough for the thread to be at it still when it ends, however late that is.
    const broken = encoder.encode({ prompt: long.repeat(200) })
    encoder.dispose()
    await expect(broken).rejects.toMatchObject({ code: 'INTERNAL' })
    expect((await encoder.encode({ prompt: long })).length).toBeGreaterThan(long.length)
  })
})
