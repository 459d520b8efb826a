const LARGEST: f32 = 3.4028234663852886e38

/** Of the finite ones of `count` values (a multiple of four): least, largest, sum, sum of squares at `out`, then how many are not finite. */
export function describeValues(values: usize, count: i32, out: usize): void {
  let least = f32x4.splat(Infinity)
  let most = f32x4.splat(-Infinity)
  let sumLow = f64x2.splat(0)
  let sumHigh = f64x2.splat(0)
  let squaresLow = f64x2.splat(0)
  let squaresHigh = f64x2.splat(0)
  let strange = i32x4.splat(0)
  const largest = f32x4.splat(LARGEST)
  for (let i = 0; i < count; i += 4) {
    const all = v128.load(values + (<usize>i << 2))
    const finite = f32x4.le(f32x4.abs(all), largest)
    strange = i32x4.add(strange, v128.not(finite))
    const kept = v128.and(all, finite)
    least = f32x4.pmin(least, v128.bitselect(all, f32x4.splat(Infinity), finite))
    most = f32x4.pmax(most, v128.bitselect(all, f32x4.splat(-Infinity), finite))
    const low = f64x2.promote_low_f32x4(kept)
    const high = f64x2.promote_low_f32x4(i32x4.shuffle(kept, kept, 2, 3, 2, 3))
    sumLow = f64x2.add(sumLow, low)
    sumHigh = f64x2.add(sumHigh, high)
    squaresLow = f64x2.add(squaresLow, f64x2.mul(low, low))
    squaresHigh = f64x2.add(squaresHigh, f64x2.mul(high, high))
  }
  const sums = f64x2.add(sumLow, sumHigh)
  const squares = f64x2.add(squaresLow, squaresHigh)
  store<f64>(out, <f64>min4(least), 0)
  store<f64>(out, -<f64>min4(f32x4.neg(most)), 8)
  store<f64>(out, f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1), 16)
  store<f64>(out, f64x2.extract_lane(squares, 0) + f64x2.extract_lane(squares, 1), 24)
  const missed =
    i32x4.extract_lane(strange, 0) +
    i32x4.extract_lane(strange, 1) +
    i32x4.extract_lane(strange, 2) +
    i32x4.extract_lane(strange, 3)
  store<f64>(out, -<f64>missed, 32)
}

function min4(lanes: v128): f32 {
  return min<f32>(
    min<f32>(f32x4.extract_lane(lanes, 0), f32x4.extract_lane(lanes, 1)),
    min<f32>(f32x4.extract_lane(lanes, 2), f32x4.extract_lane(lanes, 3)),
  )
}
