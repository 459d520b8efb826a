import { LIMITS } from '@plumbline/protocol'
import { InvalidRequestError } from '@plumbline/protocol/errors'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The body as JSON. What is wrong with it is said without repeating any of it. */
export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) throw bodyError('json', 'is empty, must be a JSON object')
  if (countFieldsAndObjects(body) > LIMITS.bodyFields) {
    throw bodyError('field_count', `must hold at most ${LIMITS.bodyFields} fields and objects, all levels counted`)
  }
  let text: string
  try {
    text = utf8.decode(body)
  } catch {
    throw bodyError('utf8', 'is not valid UTF-8')
  }
  try {
    return JSON.parse(text)
  } catch {
    throw bodyError('json', 'is not valid JSON')
  }
}

const [QUOTE, COLON, BACKSLASH, BRACE] = [0x22, 0x3a, 0x5c, 0x7b]

/**
 * A field has one colon outside of strings, an object one opening brace. Counted first: 80,000 fields take JSON.parse 140 ms, and this 3.
 */
function countFieldsAndObjects(json: Buffer): number {
  let count = 0
  let inString = false
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]
    if (byte === QUOTE) inString = !inString
    else if (byte === BACKSLASH) at++
    else if ((byte === COLON || byte === BRACE) && !inString) count++
  }
  return count
}

function bodyError(constraint: string, message: string): InvalidRequestError {
  return new InvalidRequestError([{ field: 'body', constraint, message }])
}
