import { afterAll, describe, expect, test } from 'vitest'
import { fakeTokenizer } from '../../test/fixtures/fake-script.ts'
import { type Prompt, PromptEncoder } from './prompt-encoder.ts'
import { buildTokenizer } from './tokenizer.ts'
import type { TokenizerMetadata } from './tokenizer-metadata.ts'

const { tokenTypes, ...rest } = fakeTokenizer()
const metadata: TokenizerMetadata = { ...rest, tokenTypes: Int32Array.from(tokenTypes) }
const tokenizer = buildTokenizer(metadata)
const encodePrompt = ({ prompt, messages }: Prompt) =>
  messages ? tokenizer.encodeChat(messages) : tokenizer.encodePrompt(prompt!)
/** As the engine process sends it. */
async function asSent(metadata: TokenizerMetadata): Promise<SharedArrayBuffer> {
  const json = Buffer.from(JSON.stringify({ ...metadata, tokenTypes: [...metadata.tokenTypes!] }))
  const shared = new SharedArrayBuffer(json.length)
  new Uint8Array(shared).set(json)
  return shared
}
const encoder = new PromptEncoder(asSent(metadata), tokenizer.chatTemplate)
afterAll(() => encoder.dispose())

const long = 'plumb line, né 🌸 '.repeat(1_000)

/** How often the event loop goes round meanwhile. */
async function turnsDuring(task: Promise<unknown>): Promise<number> {
  let turns = 0
  let over = false
  const turn = () => {
    turns++
    if (!over) setImmediate(turn)
  }
  setImmediate(turn)
  await task
  over = true
  return turns
}

describe('PromptEncoder', () => {
  test.each<[string, Prompt]>([
    ['a short prompt', { prompt: 'plumb' }],
    ['a long prompt', { prompt: long }],
    ['long messages', { messages: [{ role: 'user', content: long }] }],
  ])('encodes %s as the tokenizer does', async (_name, prompt) => {
    expect(await encoder.encode(prompt)).toEqual(encodePrompt(prompt))
  })

  test.each<[string, Prompt]>([
    ['a long prompt', { prompt: long }],
    ['1,024 messages of one letter', { messages: Array(1_024).fill({ role: 'user', content: 'x' }) }],
  ])('%s does not hold up the event loop', async (_name, prompt) => {
    await encoder.encode({ prompt: long }) // the thread has started
    expect(await turnsDuring(encoder.encode(prompt))).toBeGreaterThan(5)
  })

  test('a chat template without an end is given up in time, holds up nobody, and ends nothing else', async () => {
    const nested = '{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}'
    const endless: TokenizerMetadata = { ...metadata, chatTemplate: nested }
    const patient = new PromptEncoder(asSent(endless), buildTokenizer(endless).chatTemplate, 2_000)
    const chat = expect(patient.encode({ messages: [{ role: 'user', content: 'x' }] })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ field: 'messages', constraint: 'chat_template', message: expect.stringContaining('2 s') }],
    })
    const behind = patient.encode({ prompt: long })
    expect(await behind).toEqual(encodePrompt({ prompt: long }))
    expect(await turnsDuring(chat)).toBeGreaterThan(100)
    patient.dispose()
  })

  test('what the chat template refuses is an InvalidRequestError, from the thread too', async () => {
    const { chatTemplate: _none, ...bare } = metadata
    const without = new PromptEncoder(asSent(bare), undefined)
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
