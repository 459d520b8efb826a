import { fileURLToPath } from 'node:url'
import { committedAsset } from '@plumbline/protocol/testing'

export const STORIES_260K = committedAsset('stories260K/stories260K-f32.gguf')
export const HAIKU_NANO = fileURLToPath(new URL('../../../../models/haiku-nano/haiku-nano-q8_0.gguf', import.meta.url))
