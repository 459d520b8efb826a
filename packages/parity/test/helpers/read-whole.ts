// Opens the recording that is named, reads every value of it in parts, and prints how many bytes they were and the memory that it took.
import { openRecording } from '../../src/formats/open-recording.ts'

const AT_ONCE = 1 << 20
const recording = await openRecording(process.argv[2]!)
let bytes = 0
for (const run of recording.runs) {
  for (const checkpoint of run.checkpoints.values()) {
    for (let index = 0; index < checkpoint.slabCount; index++) {
      const slab = checkpoint.slab(index)
      const rows = Math.max(1, Math.floor(AT_ONCE / slab.coverage.perRow))
      for (let first = 0; first < slab.count; first += rows) {
        bytes += slab.read(first, Math.min(rows, slab.count - first)).byteLength
      }
    }
  }
}
recording.close()
process.stdout.write(JSON.stringify({ bytes, maxRssMiB: process.resourceUsage().maxRSS / 1024 }))
