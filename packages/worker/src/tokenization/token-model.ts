/** How text without special tokens becomes ids and back: byte-level BPE or SentencePiece. */
export interface TokenModel {
  /** For /health: `bpe/qwen2`, `sentencepiece`. */
  readonly kind: string
  /** Whether a sequence begins with BOS when the GGUF does not say. */
  readonly addsBosByDefault: boolean
  /** @param startsFresh the text begins the sequence or follows a special token */
  encode(text: string, startsFresh: boolean): number[]
  /** The bytes of a normal or byte token. */
  bytesOf(id: number): Uint8Array
}
