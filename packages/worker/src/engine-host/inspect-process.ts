/** A process of its own for one `inspect`: reads the GGUF that its argument names, and prints what it is as one JSON value. */
import { inspectGguf } from '@plumbline/cuda-core'
import { PlumblineError } from '@plumbline/protocol/errors'

const plain = (_key: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof PlumblineError) return { code: value.code, message: value.message, fields: value.fields }
  return value
}

function inspect(path: string) {
  try {
    return { inspection: inspectGguf(path) }
  } catch (error) {
    return { error: PlumblineError.from(error) }
  }
}

process.stdout.write(JSON.stringify(inspect(process.argv[2]!), plain))
