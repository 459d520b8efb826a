import { join } from 'node:path'
import {
  checkpointNames,
  manifestSha256,
  type TraceManifest,
  traceManifestSchema,
  traceRecordSchema,
} from '@plumbline/protocol'
import type { Recording, RunIdentity } from '../recording/recording.ts'
import { checkJson, describeIssue, readJsonBytes } from './json-file.ts'
import { scanJsonLines } from './json-lines.ts'
import { placeInJsonFile } from './json-place.ts'
import { FaultList, RecordingFile } from './recording-file.ts'
import { fileSha256 } from './sha256-file.ts'
import { SlabTable } from './slab-table.ts'
import { DTYPE_SIZES, TensorReader } from './tensor-values.ts'

/** The worker's trace folder (DESIGN.md 3.4). Only a missing file or an unreadable manifest throws; all else is a fault. */
export async function openPlumblineTrace(directory: string): Promise<Recording> {
  const manifestPath = join(directory, 'manifest.json')
  const manifestBytes = readJsonBytes(manifestPath)
  const manifest = checkJson({ file: manifestPath }, manifestBytes, traceManifestSchema)
  const records = new RecordingFile(join(directory, 'trace.jsonl'))
  let tensors: RecordingFile
  try {
    tensors = new RecordingFile(join(directory, 'tensors.bin'))
  } catch (error) {
    records.close()
    throw error
  }
  const close = () => {
    records.close()
    tensors.close()
  }
  const faults = new FaultList()
  let table: ReturnType<typeof indexRecords>
  // Without `closed` there is nothing to hold them against.
  const hashes = Promise.all(manifest.closed ? [fileSha256(records.path), fileSha256(tensors.path)] : [])
  try {
    table = indexRecords(manifest, records, tensors, faults)
    checkClosing(manifest, manifestPath, table, await hashes, records, tensors, faults)
    checkManifest(manifest, manifestPath, manifestBytes.toString('utf8'), faults)
  } catch (error) {
    await hashes.catch(() => undefined)
    close()
    throw error
  }

  const width = table.slabs.checkpoints.get('token_embd')?.width
  return {
    path: directory,
    format: 'plumbline-trace',
    runs: [
      {
        id: manifest.run,
        identity: { ...identityOf(manifest), ...(width !== undefined && { embeddingLength: width }) },
        checkpoints: table.slabs.checkpoints,
        ...(manifest.sampling.temperature === 0 &&
          manifest.closed && { greedy: { tokenIds: manifest.closed.generated_token_ids } }),
      },
    ],
    faults: faults.list(),
    ...(manifest.closed &&
      manifest.closed.manifest_sha256 === undefined && { unguarded: ['manifest.json: it states no sha256 of itself'] }),
    close,
  }
}

export function identityOf(manifest: TraceManifest): RunIdentity {
  const { model, closed } = manifest
  return {
    engine: manifest.engine.name,
    engineVersion: manifest.engine.commit
      ? `${manifest.engine.version} (${manifest.engine.commit})`
      : manifest.engine.version,
    ...(model.sha256 !== null && { modelSha256: model.sha256 }),
    modelName: model.name,
    architecture: model.architecture,
    layers: model.layers,
    vocabSize: model.vocab_size,
    ...(model.weights_fingerprint !== undefined && { weightsFingerprint: model.weights_fingerprint }),
    ...(manifest.tokenizer_sha256 !== null && { tokenizerSha256: manifest.tokenizer_sha256 }),
    ...(manifest.chat_template_sha256 !== null && { chatTemplateSha256: manifest.chat_template_sha256 }),
    promptTokenIds: manifest.prompt_token_ids,
    ...(closed && { generatedTokenIds: closed.generated_token_ids }),
    precision: manifest.precision,
    backend: manifest.backend,
    device: manifest.device,
    activations: manifest.dtypes.activations,
    kvCache: manifest.dtypes.kv_cache,
    ropeOrder: 'gguf',
    notObserved: manifest.not_observed,
  }
}

function indexRecords(manifest: TraceManifest, records: RecordingFile, tensors: RecordingFile, faults: FaultList) {
  const reader = new TensorReader()
  const slabs = new SlabTable({
    file: records.path,
    values: ({ dataOffset, dtype, perRow }, first, rows) =>
      reader.read(tensors, dataOffset + first * perRow * DTYPE_SIZES[dtype], dtype, rows * perRow),
    stored: ({ dataOffset, perRow }, first) => ({
      descriptor: tensors.descriptor,
      offset: dataOffset + first * perRow * DTYPE_SIZES.F32,
    }),
  })
  const layerOf = new Map(checkpointNames(manifest.model.layers).map((name) => [name, layerIn(name)]))
  const promptLength = manifest.prompt_token_ids.length
  let count = 0
  let lines = 0
  let end = 0
  for (const { line, byteOffset, record, problem } of scanJsonLines(records)) {
    const place = { file: records.path, line, byteOffset }
    lines = line
    const checked = traceRecordSchema.safeParse(record)
    if (problem !== undefined || !checked.success) {
      faults.add(problem?.kind ?? 'malformed', place, problem?.message ?? describeIssue(checked.error!))
      continue
    }
    const order = count++
    const { run, phase, pos, n, layer, name, dtype, shape, offset, nbytes } = checked.data
    const bad = (kind: Parameters<FaultList['add']>[0], message: string) => faults.add(kind, place, message)
    if (run !== manifest.run) bad('malformed', `is of run ${run}; this trace is of run ${manifest.run}`)
    else if (layerOf.get(name) === undefined) bad('malformed', `${name} is no checkpoint of this model`)
    else if (layer !== layerOf.get(name)) bad('malformed', `${name} is said to be of layer ${layer}`)
    else if (phase !== (pos < promptLength ? 'prefill' : 'decode'))
      bad('malformed', `position ${pos} is said to be ${phase}, and the prompt has ${promptLength} tokens`)
    else if (shape[0] !== n) bad('wrong-count', `has ${n} positions and shape [${shape.join(', ')}]`)
    else if (nbytes !== n * shape[1] * DTYPE_SIZES[dtype])
      bad('wrong-count', `has ${nbytes} bytes for ${n} x ${shape[1]} values of ${dtype}`)
    else if (offset !== end) {
      const what = offset < end ? 'overlap those of the record before' : 'leave a gap after those of the record before'
      bad(offset < end ? 'duplicate' : 'malformed', `its values from byte ${offset} ${what}, which end at ${end}`)
    } else if (offset + nbytes > tensors.size)
      bad('truncated', `its values end at byte ${offset + nbytes}, and ${tensors.path} has ${tensors.size}`)
    else {
      const place = { order, line, byteOffset }
      const added = slabs.add({
        checkpoint: name,
        width: shape[1],
        phase,
        pos,
        count: n,
        perRow: shape[1],
        dtype,
        dataOffset: offset,
        ...place,
      })
      if (added === 'other-width')
        bad('wrong-count', `${name} has ${shape[1]} values a position, and had another number`)
      if (added === 'out-of-order') bad('duplicate', `position ${pos} of ${name} was recorded before, or a later one`)
    }
    end = Math.max(end, offset + nbytes)
  }
  if (tensors.size > end) {
    const message = `has ${tensors.size} bytes, and the records tell of ${end}`
    faults.add('wrong-count', { file: tensors.path, byteOffset: end }, message)
  }
  return { slabs, records: count, lines }
}

function layerIn(name: string): number | null {
  return name.startsWith('blk.') ? Number(name.split('.')[1]) : null
}

function checkClosing(
  { closed, stopped }: TraceManifest,
  path: string,
  { records: count, lines }: { readonly records: number; readonly lines: number },
  [traceSha256, tensorsSha256]: readonly string[],
  records: RecordingFile,
  tensors: RecordingFile,
  faults: FaultList,
): void {
  if (stopped !== undefined)
    faults.add('truncated', placeInJsonFile(path, ['stopped']), `the trace stopped early: ${stopped}`)
  if (closed === undefined) {
    faults.add(
      'truncated',
      placeInJsonFile(path),
      'the trace was never closed: its writer was killed, or is still at it',
    )
    return
  }
  if (closed.records !== count) {
    faults.add(
      'wrong-count',
      { file: records.path, line: lines + 1, byteOffset: records.size },
      `has ${count} whole records, and must have ${closed.records}`,
    )
  }
  const check = (file: RecordingFile, is: string | undefined, must: string) => {
    if (is !== must)
      faults.add(
        'checksum',
        { file: file.path, ...(file === records && { line: 1 }), byteOffset: 0 },
        `its sha256 is ${is}, and the manifest says ${must}`,
      )
  }
  check(records, traceSha256, closed.trace_sha256)
  check(tensors, tensorsSha256, closed.tensors_sha256)
}

/** Changed by hand since it was closed, it may tell of another prompt, model or precision. */
function checkManifest({ closed }: TraceManifest, path: string, text: string, faults: FaultList): void {
  const must = closed?.manifest_sha256
  if (must === undefined) return
  const is = manifestSha256(text)
  if (is !== must)
    faults.add(
      'checksum',
      placeInJsonFile(path, ['closed', 'manifest_sha256']),
      `without what it says of itself its sha256 is ${is}, not ${must}`,
    )
}
