import { chatTemplateSha256, type TokenizerIdentity, tokenizerSha256, WeightsFingerprint } from '@plumbline/protocol'
import { dequantize, type GgufFile } from '@plumbline/reference'

interface ModelIdentity {
  readonly weightsFingerprint: string
  /** Undefined for a file without a tokenizer. */
  readonly tokenizerSha256?: string
  readonly chatTemplateSha256: string
}

/** Values that are dequantised at once, at most, but for a longer row: 16 MiB. */
const PIECE = 1 << 22

/** What a recording of this model states of it (docs/decisions/0023). */
export function modelIdentity(gguf: GgufFile): ModelIdentity {
  const fingerprint = new WeightsFingerprint()
  for (const { name, shape, type, nbytes } of gguf.tensors.values()) {
    const bytes = gguf.tensorBytes(name)
    const rows = shape.slice(1).reduce((product, length) => product * length, 1)
    const step = Math.max(1, Math.floor(PIECE / shape[0]!))
    for (let row = 0; row < rows; row += step) {
      const count = Math.min(step, rows - row)
      const piece = bytes.subarray((row * nbytes) / rows, ((row + count) * nbytes) / rows)
      fingerprint.add(name, shape, dequantize(type, piece, count * shape[0]!))
    }
  }
  const tokenizer = tokenizerOf(gguf)
  const template = gguf.metadata.get('tokenizer.chat_template')
  return {
    weightsFingerprint: fingerprint.digest(),
    ...(tokenizer && { tokenizerSha256: tokenizerSha256(tokenizer) }),
    chatTemplateSha256: chatTemplateSha256(typeof template === 'string' ? template : undefined),
  }
}

function tokenizerOf({ metadata }: GgufFile): TokenizerIdentity | undefined {
  const member = <T>(name: string) => metadata.get(`tokenizer.ggml.${name}`) as T | undefined
  const tokens = member<string[]>('tokens')
  const model = member<string>('model')
  if (model === undefined || tokens === undefined) return undefined
  const id = (name: string) => {
    const value = Number(member<number | bigint>(`${name}_token_id`) ?? -1)
    // Converters write -1, or 2^32 - 1, for "none".
    return value >= 0 && value < tokens.length ? value : undefined
  }
  return {
    model,
    tokens,
    pre: member('pre'),
    scores: member('scores'),
    tokenTypes: member('token_type'),
    merges: member('merges'),
    bosId: id('bos'),
    eosId: id('eos'),
    eotId: id('eot'),
    eomId: id('eom'),
    unknownId: id('unknown'),
    paddingId: id('padding'),
    addBos: member('add_bos_token'),
    addEos: member('add_eos_token'),
    addSpacePrefix: member('add_space_prefix'),
  }
}
