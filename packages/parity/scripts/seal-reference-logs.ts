// Writes into reference-logs/manifest.json the hashes of the files that it lists, and the prompts that they hold: run it after
// recording one anew, and read what changed.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openRecording } from '../src/formats/open-recording.ts'
import { fileSha256 } from '../src/formats/sha256-file.ts'
import type { ReferenceLog } from '../src/reference-logs/manifest.ts'

const path = fileURLToPath(new URL('../../../reference-logs/manifest.json', import.meta.url))
const folder = dirname(path)
const manifest: { v: 1; recordings: ReferenceLog[] } = JSON.parse(readFileSync(path, 'utf8'))
for (const log of manifest.recordings) {
  for (const file of Object.keys(log.files)) log.files[file] = await fileSha256(join(folder, file))
  log.model.sha256 = await fileSha256(join(folder, log.model.file))
  const recording = await openRecording(join(folder, log.recording))
  log.prompt_token_ids = recording.runs.map(({ identity }) => [...identity.promptTokenIds!])
  recording.close()
}
writeFileSync(path, `${JSON.stringify(manifest, null, 2)}\n`)
