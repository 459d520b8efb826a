// The numbers of a JSON array, those of the usual shape: [-] digits [. digits] [e [+-] digits], then a comma or the closing bracket.

const POWERS = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
])
const TENS = memory.data<u64>([
  1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000,
  10000000000000, 100000000000000, 1000000000000000, 10000000000000000,
])
/** So many digits of any value fit into 64 bits. */
const MOST_DIGITS: i32 = 19
const EXACT: u64 = 1 << 53
const SMALLEST_NORMAL_FLOAT: f64 = 1.1754943508222875e-38

let position: usize = 0
let value: u64 = 0

/** Where `scanNumbers` stopped: at the first byte of what it did not read. */
export function stoppedAt(): usize {
  return position
}

/**
 * Reads numbers that begin before `safe` into `out` from element `index` up to `end`, and returns the index of the next; it stops
 * before one that is unusual or that could be rounded wrongly here. 32 bytes after `safe` are in memory, whatever they are.
 */
export function scanNumbers(from: usize, safe: usize, out: usize, index: i32, end: i32, toFloat32: bool): i32 {
  let at = from
  while (index < end) {
    position = at
    while (load<u8>(at) <= 32 && at < safe) at++
    if (at >= safe) {
      position = at
      break
    }
    const minus = <u64>(load<u8>(at) == 45)
    at += <usize>minus

    // Most have one digit before the point.
    let taken = 1
    value = <u64>load<u8>(at) - 48
    if (value > 9) break
    if (<u32>load<u8>(at, 1) - 48 > 9) at++
    else {
      const integerStart = at
      value = 0
      at = digits(at)
      taken = <i32>(at - integerStart)
    }
    let exponent = 0
    if (load<u8>(at) == 46) {
      const fractionStart = ++at
      if (value == 0) taken = 0
      at = digits(at)
      exponent = <i32>(fractionStart - at)
      if (exponent == 0) break
      taken -= exponent
    }
    let byte = load<u8>(at)
    if ((byte | 32) == 101) {
      byte = load<u8>(++at)
      const down = byte == 45
      if (down || byte == 43) byte = load<u8>(++at)
      const exponentStart = at
      let written = 0
      while (<u32>byte - 48 <= 9 && at - exponentStart < 6) {
        written = written * 10 + <i32>byte - 48
        byte = load<u8>(++at)
      }
      if (at == exponentStart) break
      exponent += down ? -written : written
    }
    if (taken > MOST_DIGITS || exponent < -44 || exponent > 22) break

    let number = <f64>(<i64>value)
    if (exponent >= -22) number = exponent <= 0 ? number / power(-exponent) : number * power(exponent)
    else number = number / 1e22 / power(-exponent - 22)
    // Where both were exact, that rounded once (Clinger, "How to read floating point numbers accurately", 1990).
    if (value > EXACT || exponent < -22) {
      if (!toFloat32 || exponent > 0 || <i64>value < 0) break
      // Off by at most three roundings. The 29 bits that a float32 has not: are they clear of their half?
      const rest = <u32>reinterpret<u64>(number) & 0x1fffffff
      if (rest - 0x0fffffe0 < 0x41 || number < SMALLEST_NORMAL_FLOAT) break
    }

    // Branches, which are foreseen: the next number then need not wait for this byte.
    if (byte == 44) at++
    else {
      while (load<u8>(at) <= 32 && at < safe) at++
      byte = load<u8>(at)
      if (byte == 44) at++
      else if (byte != 93) break
    }
    number = reinterpret<f64>(reinterpret<u64>(number) | (minus << 63))
    if (toFloat32) store<f32>(out + (<usize>index << 2), <f32>number)
    else store<f64>(out + (<usize>index << 3), number)
    index++
    position = at
  }
  return index
}

// @ts-expect-error: decorator
@inline
function power(exponent: i32): f64 {
  return load<f64>(POWERS + (<usize>exponent << 3))
}

/**
 * Takes digits into `value`, sixteen at a time, and returns where they end. More than 19 of them overflow. Without branches on how many
 * there are, since that is random.
 */
// @ts-expect-error: decorator
@inline
function digits(from: usize): usize {
  let at = from
  while (true) {
    const digit = i8x16.sub(v128.load(at), i8x16.splat(48))
    const count = ctz(i8x16.bitmask(i8x16.gt_u(digit, i8x16.splat(9))) | 0x10000)
    // The last digit last, zeros before the first.
    const places = i8x16.add(i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), i8x16.splat(<i8>(count - 16)))
    const aligned = i8x16.swizzle(digit, places)
    const two = i16x8.add(
      i16x8.mul(v128.and(aligned, i16x8.splat(0xff)), i16x8.splat(10)),
      i16x8.shr_u(aligned, 8),
    )
    const four = i32x4.dot_i16x8_s(two, i16x8(100, 1, 100, 1, 100, 1, 100, 1))
    const eight = i32x4.dot_i16x8_s(i16x8.narrow_i32x4_u(four, four), i16x8(10000, 1, 10000, 1, 10000, 1, 10000, 1))
    const sixteen = <u64>i32x4.extract_lane(eight, 0) * 100000000 + <u64>i32x4.extract_lane(eight, 1)
    value = value * load<u64>(TENS + (<usize>count << 3)) + sixteen
    at += <usize>count
    if (count < 16) return at
  }
}
