import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidRequestError } from './errors.ts'
import { parseCancelRequest, parseExecuteRequest } from './execute-request.ts'

/** The fields that a body is refused for, each with its constraint. */
function refusals(body: unknown): string[] {
  try {
    parseExecuteRequest(body)
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error
    return error.errors.map(({ field, constraint }) => `${field}: ${constraint}`)
  }
  return []
}

const valid = { job_id: 'job-1', prompt: 'Once upon a time' }

describe('parseExecuteRequest', () => {
  it('fills in the defaults of the contract', () => {
    expect(parseExecuteRequest(valid)).toEqual({
      ...valid,
      max_tokens: 256,
      temperature: 0.7,
      top_k: 0,
      top_p: 1,
      min_p: 0,
      repetition_penalty: 1,
      stop: [],
      logprobs: 0,
      ignore_eos: false,
      trace: 'off',
    })
  })

  it('takes a seed as a safe integer or as decimal digits, up to 2^64 - 1', () => {
    expect(parseExecuteRequest({ ...valid, seed: 7 }).seed).toBe(7n)
    expect(parseExecuteRequest({ ...valid, seed: '18446744073709551615' }).seed).toBe(2n ** 64n - 1n)
    for (const seed of ['18446744073709551616', -1, 2 ** 53, 1.5, '', ' 1', '0x10', null, 'abc', '1.5', '\u0661']) {
      expect(refusals({ ...valid, seed }), String(seed)).toEqual(['seed: custom'])
    }
  })

  it('a seed that is no number hides no other error', () => {
    expect(refusals({ ...valid, max_tokens: 0, seed: '12a' })).toEqual(['max_tokens: minimum 1', 'seed: custom'])
    expect(refusals({ job_id: 'a', seed: '12a' })).toEqual(['seed: custom', 'prompt: custom'])
    const two = { prompt: 'x', prompt_token_ids: 'x' }
    expect(refusals({ job_id: 'a', ...two })).toEqual(['prompt_token_ids: custom', 'prompt: custom'])
  })

  it('answers a body full of mistakes with a short list', () => {
    expect(refusals({ job_id: 'a', prompt_token_ids: Array(100_000).fill(-1) })).toEqual(['prompt_token_ids: custom'])
    const unknown = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`field${index}`, 1]))
    expect(refusals({ ...valid, ...unknown })).toHaveLength(33)
    const messages = Array(1_000).fill({ role: 'tool', content: '' })
    expect(refusals({ job_id: 'a', messages })).toHaveLength(33)
  })

  it.each<[string, object, string[]]>([
    ['150,000 stop strings', { messages: [], stop: Array(150_000).fill('') }, ['stop: maximum 4', 'prompt: custom']],
    ['249,000 messages', { messages: Array(249_000).fill({}) }, ['messages: maximum 1024', 'prompt: custom']],
    [
      '490,000 token ids',
      { prompt_token_ids: Array(490_000).fill({}) },
      ['prompt_token_ids: custom', 'prompt: custom'],
    ],
  ])('looks at no more of %s than it takes to refuse them', (_name, change, expected) => {
    const times = Array.from({ length: 5 }, () => {
      const started = performance.now()
      const found = refusals({ ...valid, ...change })
      for (const refusal of expected) expect(found).toContain(refusal)
      return performance.now() - started
    })
    expect(Math.min(...times)).toBeLessThan(50) // 1 to 4 here
  })

  it('counts characters as code points, in a prompt and in messages alike', () => {
    const emoji = '\u{1f600}'
    const of = (count: number) => [{ role: 'user', content: emoji.repeat(count) }]
    expect(refusals({ job_id: 'a', prompt: emoji.repeat(32_768) })).toEqual([])
    expect(refusals({ job_id: 'a', prompt: emoji.repeat(32_769) })).toEqual(['prompt: maximum 32768'])
    expect(refusals({ job_id: 'a', messages: of(32_768) })).toEqual([])
    expect(refusals({ job_id: 'a', messages: [...of(20_000), ...of(12_769)] })).toEqual(['messages: custom'])
  })

  it('says what a value must be in words of its own', () => {
    const said = (body: unknown) => {
      try {
        parseExecuteRequest(body)
      } catch (error) {
        return (error as InvalidRequestError).errors.map(({ field, message }) => `${field} ${message}`)
      }
      return []
    }
    expect(
      said({ prompt: '', stop: 'x', temperature: '1', top_k: -1, repetition_penalty: 0, max_tokens: 1.5 }),
    ).toEqual([
      'job_id is required',
      'prompt must hold at least 1 characters',
      'max_tokens must be of type int',
      'temperature must be of type number',
      'top_k must be at least 0',
      'repetition_penalty must be more than 0',
      'stop must be of type array',
    ])
  })

  it('lists everything that is wrong at once', () => {
    expect(
      refusals({ job_id: '', prompt: '', max_tokens: 0, temperature: 3, stop: ['a', 'b', 'c', 'd', 'e'] }),
    ).toEqual([
      'job_id: minimum 1',
      'prompt: minimum 1',
      'max_tokens: minimum 1',
      'temperature: maximum 2',
      'stop: maximum 4',
    ])
  })

  it('wants exactly one kind of prompt, and says so beside other errors', () => {
    expect(refusals({ job_id: 'a', temperature: -1 })).toEqual(['temperature: minimum 0', 'prompt: custom'])
    expect(refusals({ ...valid, prompt_token_ids: [1] })).toEqual(['prompt: custom'])
    expect(refusals({ job_id: 'a', messages: [{ role: 'user', content: 'x' }] })).toEqual([])
    expect(refusals({ job_id: 'a', prompt_token_ids: [0, 1, 2] })).toEqual([])
  })

  it('keeps to the limits of the contract, on both sides of each', () => {
    const within: object[] = [
      { job_id: 'j'.repeat(128) },
      { prompt: 'p'.repeat(32_768) },
      { max_tokens: 2048 },
      { temperature: 0 },
      { temperature: 2 },
      { top_p: 0 },
      { repetition_penalty: 2 },
      { logprobs: 20 },
      { stop: ['a', 'b', 'c', 'd'] },
    ]
    const beyond: object[] = [
      { job_id: 'j'.repeat(129) },
      { prompt: 'p'.repeat(32_769) },
      { max_tokens: 2049 },
      { max_tokens: 1.5 },
      { temperature: -0.1 },
      { temperature: 2.1 },
      { top_k: -1 },
      { top_p: 1.1 },
      { min_p: -0.1 },
      { repetition_penalty: 0 },
      { repetition_penalty: 2.1 },
      { logprobs: 21 },
      { stop: [''] },
      { trace: 'everything' },
    ]
    for (const change of within) expect(refusals({ ...valid, ...change }), JSON.stringify(change)).toEqual([])
    for (const change of beyond) expect(refusals({ ...valid, ...change }), JSON.stringify(change)).toHaveLength(1)
  })

  it('refuses lone surrogates, NUL characters and unknown fields by name', () => {
    expect(refusals({ ...valid, prompt: 'a\ud800b' })).toEqual(['prompt: custom'])
    expect(refusals({ ...valid, prompt: 'a\0b' })).toEqual(['prompt: custom'])
    expect(refusals({ ...valid, max_token: 5 })).toEqual(['max_token: known_field'])
    expect(refusals({ job_id: 'a', messages: [{ role: 'user', content: 'x', name: 'y' }] })).toEqual([
      'messages.0.name: known_field',
    ])
  })

  it('refuses whatever is no object', () => {
    for (const body of [null, undefined, 1, 'x', [], true]) expect(refusals(body), String(body)).not.toEqual([])
  })

  it('never repeats the prompt in an error', () => {
    const secret = 'xyzzy-secret'
    fc.assert(
      fc.property(
        fc.constantFrom<object>(
          { prompt: `${secret}\0` },
          { prompt: secret, messages: [{ role: secret, content: secret }] },
          { prompt: [secret] },
          { messages: [{ role: 'user', content: `${secret}\ud800` }] },
          { prompt: secret.repeat(4000) },
          { stop: [`${secret}\0`], prompt: 'x' },
        ),
        (change) => {
          try {
            parseExecuteRequest({ job_id: 'a', ...change })
            expect.unreachable()
          } catch (error) {
            if (!(error instanceof InvalidRequestError)) throw error
            expect(JSON.stringify(error.toBody())).not.toContain(secret)
          }
        },
      ),
    )
  })
})

describe('parseCancelRequest', () => {
  it('takes a job_id and nothing else', () => {
    expect(parseCancelRequest({ job_id: 'a' })).toEqual({ job_id: 'a' })
    for (const body of [{}, { job_id: '' }, { job_id: 'a', force: true }, null]) {
      expect(() => parseCancelRequest(body)).toThrow(InvalidRequestError)
    }
  })
})
