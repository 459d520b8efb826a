// One pass over a row of both sides, four values at a time: `compareRow` of src/metrics/row-metrics.ts with SIMD. `out`: float64s in
// the order of SUM there.

const LEAST_NORMAL: f32 = 1.1754943508222875e-38

export function sumRow(x: usize, y: usize, width: i32, out: usize): void {
  let maxDifference = f64x2.splat(0)
  let sumLow = f64x2.splat(0)
  let sumHigh = f64x2.splat(0)
  let squaredLow = f64x2.splat(0)
  let squaredHigh = f64x2.splat(0)
  let productLow = f64x2.splat(0)
  let productHigh = f64x2.splat(0)
  let xLow = f64x2.splat(0)
  let xHigh = f64x2.splat(0)
  let yLow = f64x2.splat(0)
  let yHigh = f64x2.splat(0)
  let ulp = i32x4.splat(0)
  let xTiny = i32x4.splat(0)
  let yTiny = i32x4.splat(0)
  const least = f32x4.splat(LEAST_NORMAL)
  const magnitude = i32x4.splat(0x7fffffff)
  let i = 0
  for (; i + 4 <= width; i += 4) {
    const a = v128.load(x + (<usize>i << 2))
    const b = v128.load(y + (<usize>i << 2))
    const aLow = f64x2.promote_low_f32x4(a)
    const bLow = f64x2.promote_low_f32x4(b)
    const aHigh = f64x2.promote_low_f32x4(i32x4.shuffle(a, a, 2, 3, 2, 3))
    const bHigh = f64x2.promote_low_f32x4(i32x4.shuffle(b, b, 2, 3, 2, 3))
    const low = f64x2.abs(f64x2.sub(aLow, bLow))
    const high = f64x2.abs(f64x2.sub(aHigh, bHigh))
    // Where one is NaN the other stays, so that NaN is never the largest.
    maxDifference = f64x2.pmax(f64x2.pmax(maxDifference, low), high)
    sumLow = f64x2.add(sumLow, low)
    sumHigh = f64x2.add(sumHigh, high)
    squaredLow = f64x2.add(squaredLow, f64x2.mul(low, low))
    squaredHigh = f64x2.add(squaredHigh, f64x2.mul(high, high))
    productLow = f64x2.add(productLow, f64x2.mul(aLow, bLow))
    productHigh = f64x2.add(productHigh, f64x2.mul(aHigh, bHigh))
    xLow = f64x2.add(xLow, f64x2.mul(aLow, aLow))
    xHigh = f64x2.add(xHigh, f64x2.mul(aHigh, aHigh))
    yLow = f64x2.add(yLow, f64x2.mul(bLow, bLow))
    yHigh = f64x2.add(yHigh, f64x2.mul(bHigh, bHigh))
    // A comparison that holds is -1.
    xTiny = i32x4.sub(xTiny, f32x4.lt(f32x4.abs(a), least))
    yTiny = i32x4.sub(yTiny, f32x4.lt(f32x4.abs(b), least))
    const xi = v128.xor(a, v128.and(i32x4.shr_s(a, 31), magnitude))
    const yi = v128.xor(b, v128.and(i32x4.shr_s(b, 31), magnitude))
    ulp = i32x4.max_u(ulp, i32x4.sub(i32x4.max_s(xi, yi), i32x4.min_s(xi, yi)))
  }
  let largest = max<f64>(f64x2.extract_lane(maxDifference, 0), f64x2.extract_lane(maxDifference, 1))
  let sum = total(sumLow, sumHigh)
  let squared = total(squaredLow, squaredHigh)
  let product = total(productLow, productHigh)
  let xSquares = total(xLow, xHigh)
  let ySquares = total(yLow, yHigh)
  let steps = max<u32>(
    max<u32>(i32x4.extract_lane(ulp, 0), i32x4.extract_lane(ulp, 1)),
    max<u32>(i32x4.extract_lane(ulp, 2), i32x4.extract_lane(ulp, 3)),
  )
  let xTinies = count(xTiny)
  let yTinies = count(yTiny)
  for (; i < width; i++) {
    const a = load<f32>(x + (<usize>i << 2))
    const b = load<f32>(y + (<usize>i << 2))
    const difference = abs<f64>(<f64>a - <f64>b)
    if (difference > largest) largest = difference
    sum += difference
    squared += difference * difference
    product += <f64>a * <f64>b
    xSquares += <f64>a * <f64>a
    ySquares += <f64>b * <f64>b
    if (abs<f32>(a) < LEAST_NORMAL) xTinies++
    if (abs<f32>(b) < LEAST_NORMAL) yTinies++
    const xi = inOrder(reinterpret<i32>(a))
    const yi = inOrder(reinterpret<i32>(b))
    steps = max<u32>(steps, <u32>(max<i32>(xi, yi) - min<i32>(xi, yi)))
  }
  store<f64>(out, sum != sum ? NaN : largest, 0)
  store<f64>(out, sum, 8)
  store<f64>(out, squared, 16)
  store<f64>(out, product, 24)
  store<f64>(out, xSquares, 32)
  store<f64>(out, ySquares, 40)
  store<f64>(out, <f64>steps, 48)
  store<f64>(out, <f64>xTinies, 56)
  store<f64>(out, <f64>yTinies, 64)
}

// @ts-expect-error: decorator
@inline
function total(low: v128, high: v128): f64 {
  return f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1) + (f64x2.extract_lane(high, 0) + f64x2.extract_lane(high, 1))
}

// @ts-expect-error: decorator
@inline
function count(lanes: v128): i32 {
  return (
    i32x4.extract_lane(lanes, 0) + i32x4.extract_lane(lanes, 1) + i32x4.extract_lane(lanes, 2) + i32x4.extract_lane(lanes, 3)
  )
}

// @ts-expect-error: decorator
@inline
function inOrder(bits: i32): i32 {
  return bits ^ ((bits >> 31) & 0x7fffffff)
}
