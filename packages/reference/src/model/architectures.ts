/** Which dimensions of a head RoPE rotates with each other: 2i with 2i + 1, or i with i + rotated / 2. */
export type RopePairing = 'neighbours' | 'halves'

export interface Architecture {
  readonly ropePairing: RopePairing
  /** Whether attn_q, attn_k and attn_v have biases. */
  readonly qkvBias: 'required' | 'optional'
}

/**
 * What tells the architectures apart, by the GGUF's `general.architecture`.
 * llama: Touvron et al. 2023, arXiv 2302.13971; GGUF files have q and k rows permuted so that RoPE pairs neighbours, as in the
 * RoPE paper and Meta's own code. qwen2: Qwen2 technical report, arXiv 2407.10671; rows as in Transformers, so halves.
 */
export const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  llama: { ropePairing: 'neighbours', qkvBias: 'optional' },
  qwen2: { ropePairing: 'halves', qkvBias: 'required' },
}
