import { PlumblineError } from '@plumbline/protocol'

/** Values with a shape, row-major. */
export interface NpyArray {
  readonly shape: readonly number[]
  readonly values: Float64Array
}

const MAGIC = '\x93NUMPY\x01\x00'

/**
 * A .npy file, version 1.0 (numpy.lib.format): '<f4' where that holds every value exactly, '<f8' where not, so that anybody's numpy
 * reads what a bundle holds.
 */
export function encodeNpy({ shape, values }: NpyArray): Buffer {
  const single = values.every((value) => Object.is(Math.fround(value), value))
  const dictionary = `{'descr': '${single ? '<f4' : '<f8'}', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`
  // The header ends with a newline, and the values begin at a multiple of 64.
  const header = `${dictionary.padEnd(Math.ceil((dictionary.length + 11) / 64) * 64 - 11)}\n`
  const size = single ? 4 : 8
  const bytes = Buffer.alloc(10 + header.length + values.length * size)
  bytes.write(MAGIC, 'latin1')
  bytes.writeUInt16LE(header.length, 8)
  bytes.write(header, 10, 'latin1')
  for (const [i, value] of values.entries()) {
    const at = 10 + header.length + i * size
    if (single) bytes.writeFloatLE(value, at)
    else bytes.writeDoubleLE(value, at)
  }
  return bytes
}

/** What encodeNpy wrote; INVALID_RECORDING for anything else. */
export function decodeNpy(bytes: Buffer, name: string): NpyArray {
  const invalid = (what: string) => new PlumblineError('INVALID_RECORDING', `${name} ${what}`, { file: name })
  if (bytes.length < 10 || bytes.toString('latin1', 0, 8) !== MAGIC) throw invalid('is no .npy file')
  const begin = 10 + bytes.readUInt16LE(8)
  const header = bytes.toString('latin1', 10, begin)
  const [, type, dimensions] =
    /^\{'descr': '<f([48])', 'fortran_order': False, 'shape': \(([\d, ]*)\), \}\s*$/.exec(header) ?? []
  if (type === undefined || dimensions === undefined) throw invalid('has a header that no repro bundle has')
  const size = Number(type)
  const shape = dimensions
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number)
  const count = shape.reduce((product, dimension) => product * dimension, 1)
  if (bytes.length !== begin + count * size)
    throw invalid(`holds ${bytes.length - begin} bytes of values, ${count * size} are due`)
  const values = Float64Array.from({ length: count }, (_, i) =>
    size === 4 ? bytes.readFloatLE(begin + 4 * i) : bytes.readDoubleLE(begin + 8 * i),
  )
  return { shape, values }
}
