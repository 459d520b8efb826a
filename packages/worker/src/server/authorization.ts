import { createHash, timingSafeEqual } from 'node:crypto'
import { PlumblineError } from '@plumbline/protocol/errors'

const digest = (text: string) => createHash('sha256').update(text).digest()

/**
 * A check of `Authorization: Bearer TOKEN` that takes the same time whatever was sent: digests are compared, which have one length.
 * It throws UNAUTHORIZED.
 */
export function bearerCheck(token: string): (header: string | undefined) => void {
  const expected = digest(token)
  return (header) => {
    const given = /^Bearer +([\x21-\x7e]+)$/i.exec(header ?? '')?.[1]
    if (!timingSafeEqual(digest(given ?? ''), expected)) {
      const message = given === undefined ? 'send Authorization: Bearer TOKEN' : 'the bearer token is not the right one'
      throw new PlumblineError('UNAUTHORIZED', message)
    }
  }
}
