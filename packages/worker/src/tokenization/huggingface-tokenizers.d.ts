// What we use of @huggingface/tokenizers 0.2.0. Its own declarations import each other without file extensions, which the
// module resolution of Node does not find, so that nothing of them reaches us.
declare module '@huggingface/tokenizers' {
  type PreTokenizer =
    | { readonly type: 'Split'; readonly pattern: { readonly Regex: string }; readonly behavior: 'Isolated' }
    | { readonly type: 'ByteLevel'; readonly use_regex: boolean }

  export class SequencePreTokenizer {
    constructor(config: { readonly type: 'Sequence'; readonly pretokenizers: readonly PreTokenizer[] })
    pre_tokenize(text: string): string[]
  }
}
