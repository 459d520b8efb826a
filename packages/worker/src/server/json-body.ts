import { InvalidRequestError } from '@plumbline/protocol'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The body as JSON. What is wrong with it is said without repeating any of it. */
export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) throw bodyError('json', 'is empty, must be a JSON object')
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

function bodyError(constraint: string, message: string): InvalidRequestError {
  return new InvalidRequestError([{ field: 'body', constraint, message }])
}
