import { PlumblineError } from '@plumbline/protocol'
import type { ModelConfig } from '@plumbline/reference'
import { applyLinear, attention, KvCache, rmsNorm, rope, swiglu } from '@plumbline/reference/ops'
import type { Bundle } from './bundle.ts'

export type SideName = 'candidate' | 'reference'

/** What the op gives, in float64, from the inputs that a side had: the bundle's columns. Undefined where the bundle cannot tell. */
export function replayBundle(bundle: Bundle, side: SideName): Float64Array | undefined {
  const { repro, arrays } = bundle
  const { replay, inputs, position, columns } = repro
  if (replay === null || !repro.sides.includes(side)) return undefined
  const array = (path: string) => bundleArray(bundle, path)
  const input = (index: number) => array(`${side}/${inputs[index]}`)
  return sized(compute(), columns.length)

  function compute(): Float64Array {
    switch (replay!.op) {
      case 'linear': {
        const x = input(0)
        const bias = arrays.get('weights/bias')?.values
        const weight = Float32Array.from(array('weights/rows'))
        const linear = {
          rows: columns.length,
          columns: x.length,
          weight,
          ...(bias && { bias: Float32Array.from(bias) }),
        }
        return applyLinear(linear, x, 1)
      }
      case 'rms_norm':
        return rmsNorm(input(0), Float32Array.from(array('weights/rows')), replay!.epsilon)
      case 'rope': {
        const { pairing, head_length, heads } = replay!
        const config = { keyLength: head_length, ropePairing: pairing } as ModelConfig
        return rope(input(0), config, array('weights/frequencies'), heads, position)
      }
      case 'attention': {
        const { key_length: keyLength, value_length: valueLength } = replay!
        const cache = new KvCache(keyLength, valueLength)
        cache.write(0, input(1), input(2))
        return attention({ heads: 1, kvHeads: 1, keyLength, valueLength } as ModelConfig, input(0), cache, position)
      }
      case 'swiglu':
        return swiglu(input(0), input(1))
      case 'add': {
        const added = input(1)
        return input(0).map((value, i) => value + added[i]!)
      }
      case 'embedding':
        return array('weights/rows')
    }
  }
}

/** What a side computed: a value a column. */
export function bundleOutput(bundle: Bundle, side: SideName): Float64Array {
  return sized(bundleArray(bundle, `${side}/${bundle.repro.checkpoint}`), bundle.repro.columns.length)
}

function bundleArray({ arrays }: Bundle, path: string): Float64Array {
  const found = arrays.get(path)
  if (found === undefined) {
    throw new PlumblineError('INVALID_RECORDING', `the bundle holds no ${path}.npy`, { file: path })
  }
  return found.values
}

function sized(values: Float64Array, length: number): Float64Array {
  if (values.length === length) return values
  throw new PlumblineError(
    'INVALID_RECORDING',
    `the bundle has ${values.length} values for the ${length} of repro.json`,
  )
}
