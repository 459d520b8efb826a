import { afterEach, expect, test, vi } from 'vitest'
import { challenge, end, started, streamOf, token } from '../../test/helpers/recorded.ts'
import { isHaiku } from './haiku.ts'

afterEach(() => vi.useRealTimers())

const attempt = (text: string) => ({ challenge, stream: streamOf([started(), token(0, 0, text), end(1)]) })
const ofMinute = (minuteWord: string) => attempt(`rain on the lantern\nminute ${minuteWord} goes by\nwithout a sound`)

test.each(['2026-01-01T00:54:59.900Z', '2026-01-01T00:55:03.000Z', '2026-01-01T01:07:00.000Z'])(
  'the minute that counts is that of the challenge, though it is %s by now',
  (now) => {
    vi.useFakeTimers({ now: new Date(now) })
    expect(isHaiku(ofMinute('fifty-four'))).toBe(true)
    expect(isHaiku(ofMinute('Fifty-Four'))).toBe(true)
    expect(isHaiku(ofMinute('fifty-five'))).toBe(false)
    expect(isHaiku(ofMinute('seven'))).toBe(false)
  },
)
