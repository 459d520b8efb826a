import { createHash, type Hash } from 'node:crypto'

// What a model is, in hashes that every engine can compute alike, whatever file it read the model from (docs/decisions/0023).

/**
 * Over the weights as values: the same for a model in another container, if that holds the same values. Per tensor, by its GGUF name,
 * the sha256 of its float32 values (little-endian, row after row), as quantised blocks are dequantised by ggml; in all, the sha256 of the
 * lines `name shape sha256`, sorted by name, shape in ggml's order (the length of a row first) with `x` between. A head
 * (`output.weight`) that is the token embedding again is left out, since that is what a file without one means.
 */
export class WeightsFingerprint {
  readonly #tensors = new Map<string, { readonly shape: string; readonly hash: Hash }>()

  /** The next values of a tensor: all at once, or piece by piece in order. */
  add(name: string, shape: readonly number[], values: Float32Array): void {
    const tensor = this.#tensors.get(name) ?? { shape: shape.join('x'), hash: createHash('sha256') }
    this.#tensors.set(name, tensor)
    tensor.hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  }

  /** In hex. To be asked for once. */
  digest(): string {
    const lines = new Map<string, string>()
    for (const [name, { shape, hash }] of this.#tensors) lines.set(name, `${shape} ${hash.digest('hex')}`)
    if (lines.get('output.weight') === lines.get('token_embd.weight')) lines.delete('output.weight')
    const sorted = [...lines].sort(([a], [b]) => (a < b ? -1 : 1))
    return sha256(sorted.map(([name, line]) => `${name} ${line}\n`).join(''))
  }
}

/** What decides how text is cut into tokens, as in the GGUF (`tokenizer.ggml.*`); a token id that is none is left out. */
export interface TokenizerIdentity {
  readonly model: string
  readonly pre?: string | undefined
  readonly tokens: readonly string[]
  readonly scores?: ArrayLike<number> | undefined
  readonly tokenTypes?: ArrayLike<number> | undefined
  readonly merges?: readonly string[] | undefined
  readonly bosId?: number | undefined
  readonly eosId?: number | undefined
  readonly eotId?: number | undefined
  readonly eomId?: number | undefined
  readonly unknownId?: number | undefined
  readonly paddingId?: number | undefined
  readonly addBos?: boolean | undefined
  readonly addEos?: boolean | undefined
  readonly addSpacePrefix?: boolean | undefined
}

/**
 * The sha256 of a line for each of these members of `tokenizer.ggml` that is there, in this order: its name, `=`, its value. A text is
 * written as its length in bytes, `:` and its UTF-8; a list as its length, `[` and its elements: texts as above, scores as float32 (a
 * zero without its sign, which JSON loses) and types as int32, both little-endian; ids in decimal; `true` or `false`.
 */
export function tokenizerSha256(tokenizer: TokenizerIdentity): string {
  const hash = createHash('sha256')
  const line = (name: string, value: unknown, bytes: Uint8Array | string = String(value)) => {
    if (value !== undefined) hash.update(`${name}=`).update(bytes).update('\n')
  }
  const texts = (list: readonly string[] = []) => `${list.length}[${list.map(text).join('')}`
  line('model', tokenizer.model, text(tokenizer.model))
  line('pre', tokenizer.pre, text(tokenizer.pre))
  line('tokens', tokenizer.tokens, texts(tokenizer.tokens))
  line('scores', tokenizer.scores, numbers(Float32Array.from(tokenizer.scores ?? [], (score) => score + 0)))
  line('token_type', tokenizer.tokenTypes, numbers(Int32Array.from(tokenizer.tokenTypes ?? [])))
  line('merges', tokenizer.merges, texts(tokenizer.merges))
  line('bos_token_id', tokenizer.bosId)
  line('eos_token_id', tokenizer.eosId)
  line('eot_token_id', tokenizer.eotId)
  line('eom_token_id', tokenizer.eomId)
  line('unknown_token_id', tokenizer.unknownId)
  line('padding_token_id', tokenizer.paddingId)
  line('add_bos_token', tokenizer.addBos)
  line('add_eos_token', tokenizer.addEos)
  line('add_space_prefix', tokenizer.addSpacePrefix)
  return hash.digest('hex')
}

/** Of the template's UTF-8; a model without one has that of no text. */
export function chatTemplateSha256(template: string | undefined): string {
  return sha256(template ?? '')
}

const text = (value = '') => `${Buffer.byteLength(value)}:${value}`

function numbers(list: Float32Array | Int32Array): Buffer {
  return Buffer.concat([Buffer.from(`${list.length}[`), new Uint8Array(list.buffer)])
}

function sha256(value: string): string {
  return createHash('sha256').update(value).digest('hex')
}
