/**
 * The tensor types that Plumbline runs: id in the file, values in a block, bytes of a block.
 * Ids: `enum ggml_type` of ggml.h; block layouts: ggml-common.h.
 */
export const TENSOR_TYPES = {
  F32: { id: 0, blockLength: 1, blockBytes: 4 },
  F16: { id: 1, blockLength: 1, blockBytes: 2 },
  Q4_0: { id: 2, blockLength: 32, blockBytes: 18 },
  Q4_1: { id: 3, blockLength: 32, blockBytes: 20 },
  Q5_0: { id: 6, blockLength: 32, blockBytes: 22 },
  Q5_1: { id: 7, blockLength: 32, blockBytes: 24 },
  Q8_0: { id: 8, blockLength: 32, blockBytes: 34 },
  Q4_K: { id: 12, blockLength: 256, blockBytes: 144 },
  Q5_K: { id: 13, blockLength: 256, blockBytes: 176 },
  Q6_K: { id: 14, blockLength: 256, blockBytes: 210 },
  BF16: { id: 30, blockLength: 1, blockBytes: 2 },
} as const

export type TensorType = keyof typeof TENSOR_TYPES

const TYPE_BY_ID = new Map(Object.entries(TENSOR_TYPES).map(([name, { id }]) => [id as number, name as TensorType]))

export function tensorTypeOf(id: number): TensorType | undefined {
  return TYPE_BY_ID.get(id)
}

/** Names of the types that are known and not supported, for error messages. */
const UNSUPPORTED_TYPE_NAMES: Readonly<Record<number, string>> = {
  9: 'Q8_1',
  10: 'Q2_K',
  11: 'Q3_K',
  15: 'Q8_K',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  20: 'IQ4_NL',
  21: 'IQ3_S',
  22: 'IQ2_S',
  23: 'IQ4_XS',
  24: 'I8',
  25: 'I16',
  26: 'I32',
  27: 'I64',
  28: 'F64',
  29: 'IQ1_M',
  34: 'TQ1_0',
  35: 'TQ2_0',
  39: 'MXFP4',
}

export function describeTypeId(id: number): string {
  return tensorTypeOf(id) ?? UNSUPPORTED_TYPE_NAMES[id] ?? `unknown type ${id}`
}
