import { invalid, type RecordingFile } from './recording-file.ts'

export interface NpyArray {
  readonly dtype: string
  readonly shape: readonly number[]
  /** Where the values begin, in bytes. */
  readonly offset: number
}

const MAGIC = Buffer.from('\x93NUMPY', 'latin1')
const MAX_HEADER_BYTES = 1 << 16
/** numpy's descr to our names. bfloat16 has no descr of its own: its writers use V2 or uint16, which are not read as values. */
const DTYPES: Readonly<Record<string, string>> = {
  '<f8': 'F64',
  '<f4': 'F32',
  '<f2': 'F16',
  '<i8': 'I64',
  '<i4': 'I32',
  '<i2': 'I16',
  '|i1': 'I8',
  '<u8': 'U64',
  '<u4': 'U32',
  '<u2': 'U16',
  '|u1': 'U8',
}

export function looksLikeNpy(start: Buffer): boolean {
  return start.subarray(0, MAGIC.length).equals(MAGIC)
}

/**
 * The header of an array (numpy.lib.format): magic, version, length, a Python dict literal. `size` is how many bytes the array has
 * with its header, and must be exactly what shape and dtype make. Throws INVALID_RECORDING.
 */
export function readNpyHeader(
  file: RecordingFile,
  size = file.size,
  start = file.bytes(0, MAX_HEADER_BYTES + 12),
): NpyArray {
  const bad = (message: string, byteOffset = 0) => invalid({ file: file.path, byteOffset }, message)
  if (!looksLikeNpy(start) || start.length < 12) throw bad('does not begin like an .npy array')
  const version = start[6]!
  if (version < 1 || version > 3) throw bad(`is of .npy version ${version}; 1 to 3 are read`, 6)
  const headerStart = version === 1 ? 10 : 12
  const length = version === 1 ? start.readUInt16LE(8) : start.readUInt32LE(8)
  const offset = headerStart + length
  if (length > MAX_HEADER_BYTES || offset > start.length) throw bad(`says that its header has ${length} bytes`, 8)
  const header = start.toString('latin1', headerStart, offset)
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(header)?.[1]
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1]
  const shapeText = /'shape'\s*:\s*\(([\d,\s]*)\)/.exec(header)?.[1]
  if (descr === undefined || fortran === undefined || shapeText === undefined) {
    throw bad('its header does not tell descr, fortran_order and shape', headerStart)
  }
  const dtype = DTYPES[descr]
  if (dtype === undefined) throw bad(`holds values of ${descr}; ${Object.keys(DTYPES).join(' ')} are read`, headerStart)
  const shape = (shapeText.match(/\d+/g) ?? []).map(Number)
  if (fortran === 'True' && shape.length > 1) throw bad('is in Fortran order; save it with order C', headerStart)
  const bytes = shape.reduce((product, dimension) => product * dimension, 1) * (Number(dtype.slice(1)) / 8)
  if (offset + bytes !== size) {
    throw bad(`[${shape.join(', ')}] of ${descr} takes ${offset + bytes} bytes, and there are ${size}`, headerStart)
  }
  return { dtype, shape, offset }
}
