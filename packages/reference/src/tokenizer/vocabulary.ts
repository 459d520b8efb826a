import { PlumblineError } from '@plumbline/protocol'
import { Metadata } from '../gguf/metadata.ts'
import type { GgufFile } from '../gguf/read-gguf.ts'

/** `tokenizer.ggml.token_type` (llama.h, `llama_token_type`). */
export const TOKEN_TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

/**
 * Control tokens that end a turn or a text, by name: files are published whose eos_token_id is only one of them (the shorter,
 * settled part of the list in llama.cpp's llama-vocab.cpp).
 */
const END_TOKENS = [
  '<|im_end|>',
  '<|eot_id|>',
  '<|eom_id|>',
  '<|end|>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<end_of_turn>',
]

const LOOKS_LIKE_CONTROL = /^<\|.*\|>$/su
const IN_BRACKETS = /^(<\S+>|\[\/?[A-Z_]+\])$/u

/** A model's tokens and what each is for, from the GGUF's `tokenizer.ggml.*`. */
export class Vocabulary {
  /** By id, as in the file: byte-level BPE in its byte alphabet, SentencePiece with U+2581 for a space. */
  readonly tokens: readonly string[]
  readonly types: readonly number[]
  /** Ids by text of what plain text may become: no merge leads to a control token. */
  readonly textIds: ReadonlyMap<string, number>
  readonly bosId: number | undefined
  readonly eosId: number | undefined
  readonly unknownId: number | undefined
  /** Every token that ends an answer. */
  readonly eosIds: ReadonlySet<number>

  constructor(gguf: GgufFile) {
    const metadata = new Metadata(gguf)
    this.tokens = metadata.require(metadata.strings, 'tokenizer.ggml.tokens')
    const given = metadata.numbers('tokenizer.ggml.token_type')
    const types = given ?? this.tokens.map(() => TOKEN_TYPE.normal)
    if (types.length !== this.tokens.length) {
      const message = `tokenizer.ggml.token_type has ${types.length} entries for ${this.tokens.length} tokens`
      throw new PlumblineError('INVALID_GGUF', message, { field: 'tokenizer.ggml.token_type' })
    }
    const ids = (name: string) => {
      const id = metadata.count(`tokenizer.ggml.${name}_token_id`)
      // Converters write 2^32 - 1 for "none".
      return id !== undefined && id < this.tokens.length ? id : undefined
    }
    this.bosId = ids('bos')
    this.eosId = ids('eos')
    this.unknownId = ids('unknown')
    const [eotId, eomId] = [ids('eot'), ids('eom')]
    // Converters mark control tokens as user-defined or normal, and text that a user typed would become them. So these are control
    // tokens, if they have two characters or more: the declared BOS, EOS, EOT and EOM and the known END_TOKENS, whatever their
    // type; user-defined ones that look like control tokens; and in a file without types what looks like one, or what the chat
    // template writes in brackets.
    const declared = [this.bosId, this.eosId, eotId, eomId]
    const template = metadata.string('tokenizer.chat_template') ?? ''
    const isControl = (text: string, type: number, id: number): boolean => {
      if (declared.includes(id) || END_TOKENS.includes(text)) return true
      if (given !== undefined) return type === TOKEN_TYPE.userDefined && LOOKS_LIKE_CONTROL.test(text)
      return LOOKS_LIKE_CONTROL.test(text) || (IN_BRACKETS.test(text) && template.includes(text))
    }
    const changeable: number[] = [TOKEN_TYPE.normal, TOKEN_TYPE.userDefined, TOKEN_TYPE.unused]
    this.types = types.map((type, id) => {
      const text = this.tokens[id]!
      return changeable.includes(type) && [...text].length > 1 && isControl(text, type, id) ? TOKEN_TYPE.control : type
    })
    const controlIds = this.#idsOf(TOKEN_TYPE.control)
    const ends = [this.eosId, eotId, eomId, ...END_TOKENS.map((text) => controlIds.get(text))]
    this.eosIds = new Set(ends.filter((id) => id !== undefined))
    this.textIds = this.#idsOf(TOKEN_TYPE.normal, TOKEN_TYPE.unused)
  }

  /** Ids by text of the tokens that are parsed as wholes: user-defined ones in any text, the others where that is asked for. */
  specialIds(parseControl: boolean): ReadonlyMap<string, number> {
    const control = parseControl ? [TOKEN_TYPE.control, TOKEN_TYPE.unknown] : []
    return this.#idsOf(TOKEN_TYPE.userDefined, ...control)
  }

  /** Whether a token stands for no text: `<|im_start|>`, `<s>`, `<unk>`. */
  isSilent(id: number): boolean {
    const speaking: number[] = [TOKEN_TYPE.normal, TOKEN_TYPE.userDefined, TOKEN_TYPE.byte]
    return !speaking.includes(this.types[id]!)
  }

  #idsOf(...types: number[]): Map<string, number> {
    const ids = new Map<string, number>()
    for (const [id, text] of this.tokens.entries()) {
      if (text !== '' && types.includes(this.types[id]!)) ids.set(text, id)
    }
    return ids
  }
}
