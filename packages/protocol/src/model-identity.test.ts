import { expect, it } from 'vitest'
import { chatTemplateSha256, tokenizerSha256, WeightsFingerprint } from './model-identity.ts'

// The hashes are those that reference-logs/recorders/identity.py gives for the same: numpy and hashlib, written apart.
const FINGERPRINT = '3b2becdfb9c947837a0780591b355e7109d87b5075a351fe8ec6b4ab2060730b'
const EMBEDDING = [1, -2, 0.5, 3, 4, -0]

function fingerprint(pieces: readonly (readonly [string, readonly number[], readonly number[]])[]): string {
  const weights = new WeightsFingerprint()
  for (const [name, shape, values] of pieces) weights.add(name, shape, Float32Array.from(values))
  return weights.digest()
}
const norm = ['output_norm.weight', [3], [1, 1, 1]] as const
const embedding = ['token_embd.weight', [3, 2], EMBEDDING] as const

it('is of names, shapes and values, whatever the order, in one piece or in several', () => {
  expect(fingerprint([embedding, norm])).toBe(FINGERPRINT)
  expect(fingerprint([norm, embedding])).toBe(FINGERPRINT)
  const [name, shape] = embedding
  expect(fingerprint([[name, shape, EMBEDDING.slice(0, 3)], norm, [name, shape, EMBEDDING.slice(3)]])).toBe(FINGERPRINT)
})

it('does not tell a head that is the embedding again from none, but any other', () => {
  expect(fingerprint([embedding, norm, ['output.weight', [3, 2], EMBEDDING]])).toBe(FINGERPRINT)
  expect(fingerprint([embedding, norm, ['output.weight', [3, 2], EMBEDDING.map((value) => -value)]])).toBe(
    'ce9e7b86e37fbb47899795b221cf7b545de3ffff280dfa977bcf4b1318b96ebf',
  )
})

it.each([
  ['a value', [embedding, ['output_norm.weight', [3], [1, 1, 1.0000001]]]],
  ['the sign of a zero', [['token_embd.weight', [3, 2], [1, -2, 0.5, 3, 4, 0]], norm]],
  ['a shape', [['token_embd.weight', [2, 3], EMBEDDING], norm]],
  ['a name', [embedding, ['blk.0.attn_norm.weight', [3], [1, 1, 1]]]],
] as const)('tells another model by %s', (_, pieces) => {
  expect(fingerprint(pieces)).not.toBe(FINGERPRINT)
})

const TOKENIZER = {
  model: 'llama',
  pre: 'default',
  tokens: ['<s>', 'é', '▁a'],
  scores: [0, -0, -1.5],
  tokenTypes: [3, 1, 1],
  merges: ['a b'],
  bosId: 0,
  addBos: true,
}

it("is of a tokenizer's members that are there", () => {
  expect(tokenizerSha256(TOKENIZER)).toBe('f665bed0e4a7861d8cb94d8c5f5fcf519400d0a169da6c92825099f9acb21d9a')
  const changes = [{ tokens: ['<s>', 'é', 'a'] }, { scores: undefined }, { addBos: false }, { eosId: 0 }, { pre: '' }]
  const others = changes.map((change) => tokenizerSha256({ ...TOKENIZER, ...change }))
  expect(new Set([tokenizerSha256(TOKENIZER), ...others]).size).toBe(changes.length + 1)
})

it('of no template is that of no text', () => {
  expect(chatTemplateSha256(undefined)).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  expect(chatTemplateSha256('{{ x }}')).not.toBe(chatTemplateSha256(undefined))
})
