import { philox4x32 } from './philox.ts'

/** The random word behind one token's noise at one place of the answer: step 8 of the specification. */
export function noiseWord(seed: bigint, tokenId: number, answerIndex: number): number {
  const key = [Number(seed & 0xffffffffn), Number(seed >> 32n)] as const
  return philox4x32(key, [tokenId, answerIndex, 0, 0])[0]
}

/**
 * A draw from the standard Gumbel distribution, -ln(-ln u) of a uniform u (Gumbel 1954; that the largest of
 * `logit + noise` is a draw from the softmax: Maddison, Tarlow, Minka, "A* sampling", NIPS 2014, section 2).
 */
export function gumbelNoise(seed: bigint, tokenId: number, answerIndex: number): number {
  const uniform = (noiseWord(seed, tokenId, answerIndex) + 0.5) / 2 ** 32
  return -Math.log(-Math.log(uniform))
}
