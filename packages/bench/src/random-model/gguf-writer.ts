import { type FileHandle, open, rename } from 'node:fs/promises'

// The format: ggml/docs/gguf.md. Little-endian, as every machine that this runs on.

const VALUE_TYPE = { u32: 4, f32: 6, bool: 7, string: 8, array: 9, i32: 5 } as const
const ALIGNMENT = 32

export type MetadataEntry =
  | readonly [key: string, type: 'u32' | 'f32', value: number]
  | readonly [key: string, type: 'bool', value: boolean]
  | readonly [key: string, type: 'string', value: string]
  | readonly [key: string, type: 'strings', value: readonly string[]]
  | readonly [key: string, type: 'i32s', value: readonly number[]]

export interface WrittenTensor {
  readonly name: string
  /** ggml order: the contiguous dimension first. */
  readonly shape: readonly number[]
  /** ggml's id. */
  readonly type: number
  readonly bytes: number
  /** The tensor's bytes, made when they are written. */
  readonly data: () => Uint8Array
}

/** Writes a model tensor by tensor, so that one larger than the memory can be made; complete or not at all. */
export async function writeGguf(
  path: string,
  metadata: readonly MetadataEntry[],
  tensors: readonly WrittenTensor[],
): Promise<void> {
  const partial = `${path}.${process.pid}.partial`
  const file = await open(partial, 'w')
  try {
    await file.write(header(metadata, tensors))
    await pad(file)
    for (const { name, bytes, data } of tensors) {
      const content = data()
      if (content.length !== bytes) throw new RangeError(`${name} has ${content.length} bytes, must have ${bytes}`)
      await file.write(content)
      await pad(file)
    }
  } finally {
    await file.close()
  }
  await rename(partial, path)
}

async function pad(file: FileHandle): Promise<void> {
  const { size } = await file.stat()
  await file.write(Buffer.alloc(padded(size) - size))
}

const padded = (size: number) => Math.ceil(size / ALIGNMENT) * ALIGNMENT

function header(metadata: readonly MetadataEntry[], tensors: readonly WrittenTensor[]): Buffer {
  let offset = 0
  const infos = tensors.map(({ name, shape, type, bytes }) => {
    const info = [text(name), u32(shape.length), ...shape.map(u64), u32(type), u64(offset)]
    offset += padded(bytes)
    return Buffer.concat(info)
  })
  const entries = metadata.map((entry) => Buffer.concat([text(entry[0]), value(entry)]))
  return Buffer.concat([Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(metadata.length), ...entries, ...infos])
}

function value(entry: MetadataEntry): Buffer {
  const [, type, content] = entry
  switch (type) {
    case 'u32':
      return Buffer.concat([u32(VALUE_TYPE.u32), u32(content)])
    case 'f32':
      return Buffer.concat([u32(VALUE_TYPE.f32), Buffer.from(Float32Array.of(content).buffer)])
    case 'bool':
      return Buffer.concat([u32(VALUE_TYPE.bool), Buffer.of(Number(content))])
    case 'string':
      return Buffer.concat([u32(VALUE_TYPE.string), text(content)])
    case 'strings':
      return Buffer.concat([u32(VALUE_TYPE.array), u32(VALUE_TYPE.string), u64(content.length), ...content.map(text)])
    case 'i32s':
      return Buffer.concat([
        u32(VALUE_TYPE.array),
        u32(VALUE_TYPE.i32),
        u64(content.length),
        Buffer.from(Int32Array.from(content).buffer),
      ])
  }
}

const u32 = (number: number) => Buffer.from(Uint32Array.of(number).buffer)
const u64 = (number: number) => Buffer.from(BigUint64Array.of(BigInt(number)).buffer)
const text = (string: string) => {
  const bytes = Buffer.from(string)
  return Buffer.concat([u64(bytes.length), bytes])
}
