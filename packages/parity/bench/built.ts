import type * as Compare from '../src/comparison/compare.ts'
import type * as OpenRecording from '../src/formats/open-recording.ts'

/** What a user runs is built: threads that strip types from sources begin far later. */
const built = (path: string) => import(new URL(`../dist/${path}.js`, import.meta.url).href)

const { compare } = (await built('comparison/compare')) as typeof Compare
const { openRecording } = (await built('formats/open-recording')) as typeof OpenRecording

export { compare, openRecording }
