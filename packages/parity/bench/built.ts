// What a user runs is built: threads that strip types from sources begin far later.
export { compare } from '../dist/comparison/compare.js'
export { openRecording } from '../dist/formats/open-recording.js'
