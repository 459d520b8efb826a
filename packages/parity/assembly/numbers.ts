import { fromDecimal, fromLongDecimal } from './decimal'

// The numbers of a JSON array, those of the usual shape: [-] digits [. digits] [e [+-] digits], then a comma or the closing bracket.

/** Bytes that are looked through for a comma at once. */
const BLOCK: usize = 64
/** No number whose end is farther is read here. */
const FARTHEST: usize = 512
/** What two loads of sixteen bytes hold: digits and the point. */
const MOST_BYTES: u32 = 32
/** This and sixteen more digits fit into 64 bits. */
const MOST_ABOVE_SIXTEEN: u64 = 1843

/** What is blank otherwise is unusual, or a NUL, which is no blank. */
const SPACE: u8 = 32

const ZERO = memory.data<u8>([48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48])
const NINE = memory.data<u8>([9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9])
const COMMA = memory.data<u8>([44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44])
const CLOSE = memory.data<u8>([93, 93, 93, 93, 93, 93, 93, 93, 93, 93, 93, 93, 93, 93, 93, 93])
/** 10 * 256 + 1: the upper byte of its product with two digits, a byte each, is the number that they are. */
const TEN = memory.data<u16>([2561, 2561, 2561, 2561, 2561, 2561, 2561, 2561])
const HUNDRED = memory.data<u16>([100, 1, 100, 1, 100, 1, 100, 1])
const TEN_THOUSAND = memory.data<u16>([10000, 1, 10000, 1, 10000, 1, 10000, 1])
/** Bytes of no bits, then as many of those in which digits differ. */
const KEPT = memory.data<i64>([
  0, 0, 0, 0, 0x0f0f0f0f0f0f0f0f, 0x0f0f0f0f0f0f0f0f, 0x0f0f0f0f0f0f0f0f, 0x0f0f0f0f0f0f0f0f,
])

let position: usize = 0
let mantissaEnd: usize = 0
let written: i32 = 0

/** Where `scanNumbers` stopped: at the first byte of what it did not read. */
export function stoppedAt(): usize {
  return position
}

/**
 * Reads numbers that begin before `safe` into `out` from element `index` up to `end`, and returns the index of the next; it stops
 * before one that is unusual. Commas are found first: where a number begins is then known before the one before it is read, and the
 * processor reads several at once. 640 bytes after `safe` and 33 before `start` are in memory, whatever they are. `powers`: the table
 * that `fromDecimal` needs.
 */
export function scanNumbers(
  start: usize,
  safe: usize,
  out: usize,
  index: i32,
  end: i32,
  toFloat32: bool,
  powers: usize,
): i32 {
  let at = start
  let block = start
  let ends = endsIn(block)
  while (index < end && at < safe) {
    while (ends == 0 && block < at + FARTHEST) {
      block += BLOCK
      ends = endsIn(block)
    }
    if (ends == 0) break
    const after = block + <usize>ctz(ends)
    ends &= ends - 1

    let first = at
    while (load<u8>(first) == SPACE) first++
    if (first >= safe) break
    const minus = <u64>(load<u8>(first) == 45)
    first += <usize>minus
    let last = after
    let exponent = 0
    let bytes = <i32>(last - first)
    if (<u32>(bytes - 1) >= MOST_BYTES) break
    let strange = strangeBefore(last, bytes)
    if ((strange & (strange - 1)) != 0) {
      if (!readExponent(first, last)) break
      last = mantissaEnd
      exponent = written
      bytes = <i32>(last - first)
      strange = strangeBefore(last, bytes)
    }

    const long = bytes > 16
    let low = v128.load(last - 16)
    let high = v128.load(last - 32)
    // The point is taken out: what stands before it moves one byte up.
    if (strange != 0) {
      const point = ctz(strange)
      if (load<u8>(last - 32 + <usize>point) != 46 || point == 31 || point == 32 - bytes) break
      exponent -= 31 - point
      bytes--
      low = v128.bitselect(low, v128.load(last - 17), from(point - 15))
      high = v128.bitselect(high, v128.load(last - 33), from(point + 1))
    }
    let value = sixteenDigits(low, from(16 - bytes))
    let number: f64
    if (long) {
      const above = sixteenDigits(high, from(32 - bytes))
      if (above > MOST_ABOVE_SIXTEEN) break
      value += above * 10000000000000000
      number = fromLongDecimal(value, exponent, powers)
    } else number = fromDecimal(value, exponent, powers)
    if (number != number) break
    const signed = reinterpret<f64>(reinterpret<u64>(number) | (minus << 63))
    if (toFloat32) store<f32>(out + (<usize>index << 2), <f32>signed)
    else store<f64>(out + (<usize>index << 3), signed)
    index++
    at = after + <usize>(load<u8>(after) == 44)
  }
  position = at
  return index
}

/** A bit for each of the next 64 bytes that is a comma or a closing bracket. */
// @ts-expect-error: decorator
@inline
function endsIn(block: usize): u64 {
  return (
    endsInSixteen(v128.load(block)) |
    (endsInSixteen(v128.load(block, 16)) << 16) |
    (endsInSixteen(v128.load(block, 32)) << 32) |
    (endsInSixteen(v128.load(block, 48)) << 48)
  )
}

// @ts-expect-error: decorator
@inline
function endsInSixteen(bytes: v128): u64 {
  return <u64>i8x16.bitmask(v128.or(i8x16.eq(bytes, constant(COMMA)), i8x16.eq(bytes, constant(CLOSE))))
}

/** A bit for each of the 32 bytes before `last` that is no digit, but only of the last `bytes`. */
// @ts-expect-error: decorator
@inline
function strangeBefore(last: usize, bytes: i32): u32 {
  const digits = digitsIn(v128.load(last - 32)) | (digitsIn(v128.load(last - 16)) << 16)
  return ~digits & (<u32>-1 << (32 - bytes))
}

// @ts-expect-error: decorator
@inline
function digitsIn(bytes: v128): u32 {
  const digits = i8x16.sub(bytes, constant(ZERO))
  return i8x16.bitmask(i8x16.eq(i8x16.min_u(digits, constant(NINE)), digits))
}

/** What digits differ in, of the bytes from `start` on, of sixteen: from -16, which is all, to 32, which is none. */
// @ts-expect-error: decorator
@inline
function from(start: i32): v128 {
  return v128.load(KEPT + <usize>(32 - start))
}

/** The digits in `kept`, the last one in the last byte. */
// @ts-expect-error: decorator
@inline
function sixteenDigits(bytes: v128, kept: v128): u64 {
  const two = i16x8.shr_u(i16x8.mul(v128.and(bytes, kept), constant(TEN)), 8)
  const four = i32x4.dot_i16x8_s(two, constant(HUNDRED))
  const eight = i32x4.dot_i16x8_s(i16x8.narrow_i32x4_u(four, four), constant(TEN_THOUSAND))
  const halves = i64x2.extract_lane(eight, 0)
  return (<u64>halves & 0xffffffff) * 100000000 + (<u64>halves >> 32)
}

/** From memory: one instruction, where V8 puts a constant together anew each time from its halves. */
// @ts-expect-error: decorator
@inline
function constant(address: usize): v128 {
  return v128.load(address)
}

/** e [+-] digits at the end of what stands from `first` to `last`: `written`, and `mantissaEnd` before it. False where there is none. */
function readExponent(first: usize, last: usize): bool {
  let at = last - 1
  let scale = 1
  let size = 0
  while (<u32>load<u8>(at) - 48 <= 9 && last - at < 6) {
    size += (<i32>load<u8>(at) - 48) * scale
    scale *= 10
    at--
  }
  if (scale == 1) return false
  const sign = load<u8>(at)
  if (sign == 43 || sign == 45) at--
  if ((load<u8>(at) | 32) != 101 || at <= first) return false
  mantissaEnd = at
  written = sign == 45 ? -size : size
  return true
}
