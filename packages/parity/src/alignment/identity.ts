import type { Refusal } from '../comparison/comparison.ts'
import type { RunIdentity } from '../recording/recording.ts'

export interface IdentityFinding {
  readonly refusals: readonly Refusal[]
  readonly unverified: readonly string[]
}

/** What both sides state must be equal; what one leaves out is unverified. Prompts are refusePrompts' business. */
export function compareIdentities(candidate: RunIdentity, reference: RunIdentity): IdentityFinding {
  const refusals: Refusal[] = []
  const unverified: string[] = []
  const held = (kind: string, name: string, ours: unknown, theirs: unknown): boolean => {
    if (ours === undefined || theirs === undefined) return false
    if (ours === theirs) return true
    refusals.push({ kind, message: `the ${name} differs: ${ours} against ${theirs}` })
    return false
  }

  const sameFile = candidate.modelSha256 !== undefined && candidate.modelSha256 === reference.modelSha256
  const differentFiles = !sameFile && candidate.modelSha256 !== undefined && reference.modelSha256 !== undefined
  const shapes = [
    held('architecture', 'architecture', candidate.architecture, reference.architecture),
    held('shape', 'number of layers', candidate.layers, reference.layers),
    held('shape', 'embedding length', candidate.embeddingLength, reference.embeddingLength),
    held('shape', 'vocabulary size', candidate.vocabSize, reference.vocabSize),
  ]
  const sameWeights =
    held('weights', 'weights fingerprint', candidate.weightsFingerprint, reference.weightsFingerprint) &&
    shapes[0] === true
  if (!sameFile && !sameWeights) {
    // Another container of the same weights has another hash, but then both must state the same fingerprint.
    if (differentFiles) {
      refusals.push({
        kind: 'model',
        message: `the models differ: sha256 ${short(candidate.modelSha256)} against ${short(reference.modelSha256)}`,
      })
    } else if (refusals.length === 0) unverified.push(unverifiedModel(candidate, reference))
  }

  const stated = (kind: string, name: string, ours: string | undefined, theirs: string | undefined) => {
    if (!held(kind, `${name} (sha256)`, ours, theirs) && (ours === undefined || theirs === undefined)) {
      unverified.push(`${name}: ${whoStates(ours, theirs)}`)
    }
  }
  stated('tokenizer', 'tokenizer', candidate.tokenizerSha256, reference.tokenizerSha256)
  stated('chat-template', 'chat template', candidate.chatTemplateSha256, reference.chatTemplateSha256)
  return { refusals, unverified }
}

function unverifiedModel(candidate: RunIdentity, reference: RunIdentity): string {
  const names =
    candidate.modelName === undefined || reference.modelName === undefined
      ? ''
      : ` (the names are ${candidate.modelName} and ${reference.modelName})`
  return `model: ${whoStates(candidate.modelSha256, reference.modelSha256)}${names}`
}

const whoStates = (ours: unknown, theirs: unknown): string =>
  ours === undefined && theirs === undefined
    ? 'stated by neither side'
    : `not stated by the ${ours === undefined ? 'candidate' : 'reference'}`

const short = (sha256: string | undefined) => sha256?.slice(0, 12)
