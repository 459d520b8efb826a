import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { PlumblineError } from '@plumbline/protocol/errors'
import { fileSha256 } from '../telemetry/file-sha256.ts'
import { CATALOG, hubUrl } from './catalog.ts'
import { type DownloadOptions, download } from './download.ts'
import { describeBytes } from './models-command.ts'
import { modelsFolder } from './models-folder.ts'
import { recordedSha256 } from './recorded-sha256.ts'

/**
 * `plumbline-worker pull NAME`: the model's file is in the models folder afterwards, and is what the Hub publishes.
 *
 * @throws PlumblineError INVALID_OPTION for a name that is none, and what `download` throws
 */
export async function pull(
  name: string,
  output: NodeJS.WriteStream,
  environment: NodeJS.ProcessEnv = process.env,
  options: Omit<DownloadOptions, 'onProgress'> = {},
): Promise<void> {
  const entry = CATALOG.get(name)
  if (entry === undefined) {
    const must = `must be one of ${[...CATALOG.keys()].join(', ')}`
    throw new PlumblineError('INVALID_OPTION', `NAME is ${JSON.stringify(name)}, ${must}`, {
      option: 'NAME',
      was: name,
    })
  }
  const path = join(modelsFolder(environment), entry.file)
  if (existsSync(path) && recordedSha256(path) === (await fileSha256(path))) {
    output.write(`${path} is there, with the sha256 that was published for it\n`)
    return
  }
  const progress = new ProgressLine(output)
  const onProgress = (bytes: number, total: number) => progress.show(bytes, total)
  const sha256 = await download(hubUrl(entry, environment), path, { ...options, onProgress })
  await fileSha256(path) // remembered, so that the first load need not wait for it
  output.write(`${path}\nsha256 ${sha256}, as published\nServe it with: plumbline-worker --model ${name}\n`)
}

/** One line that changes on a terminal; elsewhere a line for each tenth. */
class ProgressLine {
  readonly #output: NodeJS.WriteStream
  #shown = -1

  constructor(output: NodeJS.WriteStream) {
    this.#output = output
  }

  show(bytes: number, total: number): void {
    const percent = Math.floor((100 * bytes) / total)
    const step = this.#output.isTTY ? percent : Math.floor(percent / 10) * 10
    if (step === this.#shown) return
    this.#shown = step
    const line = `${String(step).padStart(3)} % of ${describeBytes(total)}`
    this.#output.write(this.#output.isTTY ? `\r${line}${bytes === total ? '\n' : ''}` : `${line}\n`)
  }
}
