export { dequantize } from './dequantize/dequantize.ts'
export { type ByteSource, bytesOf, fileSource } from './gguf/byte-source.ts'
export {
  type GgufFile,
  type GgufScalar,
  type GgufTensor,
  type GgufValue,
  parseGguf,
  readGguf,
} from './gguf/read-gguf.ts'
export { TENSOR_TYPES, type TensorType } from './gguf/tensor-types.ts'
export { Q8_16, type RoundActivations, roundActivations } from './model/activations.ts'
export type { ModelConfig } from './model/config.ts'
export type { CheckpointObserver } from './model/forward.ts'
export { loadModel, type ReferenceModel, type Session } from './model/load-model.ts'
export { nmse } from './nmse.ts'
export { readSafetensors, type SafetensorsTensor } from './safetensors/read-safetensors.ts'
export { type DrawMargin, drawMargin } from './sampler/draw-margin.ts'
export { gumbelNoise } from './sampler/gumbel-noise.ts'
export type { Logits } from './sampler/kept-tokens.ts'
export { philox4x32 } from './sampler/philox.ts'
export { type Draw, firstMaximum, logProbabilities, sample } from './sampler/sample.ts'
export { type EncodeOptions, loadTokenizer, type Tokenizer } from './tokenizer/tokenizer.ts'
