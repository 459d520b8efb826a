import { randomBytes, randomInt } from 'node:crypto'
import { heldOutWords, minuteWords, topics } from '@plumbline/haiku-nano'
import type { Wording } from './wording.ts'

/** What a worker is asked, made of things that nobody could know before. */
export interface Challenge {
  /** ISO 8601, UTC */
  readonly madeAt: string
  readonly topic: string
  /** The UTC minute at `madeAt`, in words: it stays this challenge's minute when the clock moves on. */
  readonly minuteWord: string
  /** Drawn by the system's CSPRNG from words that the model never saw in training. */
  readonly word: string
  /** The job_id under which it is asked, so that an answer belongs to this challenge alone. */
  readonly nonce: string
  /** uint64, as decimal digits */
  readonly seed: string
  readonly prompt: string
}

/** `wording`: how the model at hand is asked. */
export function makeChallenge(wording: Wording, now = new Date()): Challenge {
  const topic = draw(topics)
  const minuteWord = minuteWords[now.getUTCMinutes()]!
  const word = draw(heldOutWords)
  return {
    madeAt: now.toISOString(),
    topic,
    minuteWord,
    word,
    nonce: makeNonce(),
    seed: randomBytes(8).readBigUInt64LE().toString(),
    prompt: wording({ topic, minuteWord, word }),
  }
}

/** 128 random bits, in hex. All job ids are such, so that none tells a worker what its request is for. */
export function makeNonce(): string {
  return randomBytes(16).toString('hex')
}

function draw<T>(list: readonly T[]): T {
  return list[randomInt(list.length)]!
}
