/** How text without special tokens becomes ids and back: byte-level BPE or SentencePiece. */
export interface TokenModel {
  /** @param startsFresh the text begins the sequence or follows a special token */
  encode(text: string, startsFresh: boolean): number[]
}
