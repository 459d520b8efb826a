import { type ByteSource, bytesOf } from '../src/gguf/byte-source.ts'

/** One part of a GGUF file as bytes, so that tests can build files with anything wrong in them. */
export const u8 = (value: number) => Uint8Array.of(value)
export const u32 = (value: number) => new Uint8Array(Uint32Array.of(value).buffer)
export const f32 = (value: number) => new Uint8Array(Float32Array.of(value).buffer)
export const u64 = (value: number | bigint) => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer)
export const string = (text: string | Uint8Array) => {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
  return join(u64(bytes.length), bytes)
}

export function join(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts))
}

export const VALUE_TYPE = { u8: 0, i8: 1, u32: 4, f32: 6, bool: 7, string: 8, array: 9, u64: 10 } as const

export interface BuiltTensor {
  name: string
  shape: (number | bigint)[]
  type: number
  offset: number | bigint
}

export interface BuiltGguf {
  magic?: string
  version?: number
  tensorCount?: number | bigint
  metadataCount?: number | bigint
  /** Key, value type, value. */
  metadata?: (readonly [string | Uint8Array, number, Uint8Array])[]
  tensors?: BuiltTensor[]
  alignment?: number
  data?: Uint8Array
}

/** A GGUF file as described; what is not described is right. */
export function buildGguf(gguf: BuiltGguf): Uint8Array<ArrayBuffer> {
  const { metadata = [], tensors = [], alignment = 32 } = gguf
  const header = join(
    new TextEncoder().encode(gguf.magic ?? 'GGUF'),
    u32(gguf.version ?? 3),
    u64(gguf.tensorCount ?? tensors.length),
    u64(gguf.metadataCount ?? metadata.length),
    ...metadata.map(([key, type, value]) => join(string(key), u32(type), value)),
    ...tensors.map(({ name, shape, type, offset }) =>
      join(string(name), u32(shape.length), ...shape.map(u64), u32(type), u64(offset)),
    ),
  )
  const padding = new Uint8Array(Math.ceil(header.length / alignment) * alignment - header.length)
  return join(header, padding, gguf.data ?? new Uint8Array())
}

/** The same, to be read. */
export function builtSource(gguf: BuiltGguf): ByteSource {
  return bytesOf(buildGguf(gguf))
}
