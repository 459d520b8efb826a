// How far the rows of an op are from what its recorded inputs give, four values at a time: sums of squares, as in
// src/fitness/contradictions.ts. `width` is a multiple of four; zeros add nothing to any sum.

/** exp of these is a normal F32. */
const MOST_EXPONENT: f32 = 87
const LOG2_E: f32 = 1.4426950408889634

/** At `sums`: of the error of left + right, and of both. */
export function sumError(out: usize, left: usize, right: usize, width: i32, sums: usize): void {
  let error = f64x2.splat(0)
  let size = f64x2.splat(0)
  for (let i: usize = 0; i < <usize>width << 2; i += 8) {
    const a = f64x2.promote_low_f32x4(v128.load64_zero(left + i))
    const b = f64x2.promote_low_f32x4(v128.load64_zero(right + i))
    const off = f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(out + i)), f64x2.add(a, b))
    error = f64x2.add(error, f64x2.mul(off, off))
    size = f64x2.add(size, f64x2.add(f64x2.mul(a, a), f64x2.mul(b, b)))
  }
  store<f64>(sums, total(error), 0)
  store<f64>(sums, total(size), 8)
}

/** At `sums`: of the error of SiLU(gate) x up; of it and of what is there; of SiLU(gate); of up. */
export function productError(out: usize, gate: usize, up: usize, width: i32, sums: usize): void {
  let error = f64x2.splat(0)
  let size = f64x2.splat(0)
  let activated = f64x2.splat(0)
  let ups = f64x2.splat(0)
  for (let i: usize = 0; i < <usize>width << 2; i += 16) {
    const silu = siluOf(v128.load(gate + i))
    for (let half: usize = 0; half < 16; half += 8) {
      const s = f64x2.promote_low_f32x4(half == 0 ? silu : i32x4.shuffle(silu, silu, 2, 3, 2, 3))
      const u = f64x2.promote_low_f32x4(v128.load64_zero(up + i + half))
      const is = f64x2.promote_low_f32x4(v128.load64_zero(out + i + half))
      const must = f64x2.mul(s, u)
      const off = f64x2.sub(is, must)
      error = f64x2.add(error, f64x2.mul(off, off))
      size = f64x2.add(size, f64x2.add(f64x2.mul(must, must), f64x2.mul(is, is)))
      activated = f64x2.add(activated, f64x2.mul(s, s))
      ups = f64x2.add(ups, f64x2.mul(u, u))
    }
  }
  store<f64>(sums, total(error), 0)
  store<f64>(sums, total(size), 8)
  store<f64>(sums, total(activated), 16)
  store<f64>(sums, total(ups), 24)
}

/** To some 1e-5 of each: 2^-x by the series of 2^fraction, and the whole part put into the exponent's bits. */
// @ts-expect-error: decorator
@inline
function siluOf(gate: v128): v128 {
  const clamped = f32x4.max(f32x4.min(gate, f32x4.splat(MOST_EXPONENT)), f32x4.splat(-MOST_EXPONENT))
  const power = f32x4.mul(clamped, f32x4.splat(-LOG2_E))
  const whole = f32x4.nearest(power)
  const part = f32x4.sub(power, whole)
  let series = f32x4.splat(0.0013333558)
  series = f32x4.add(f32x4.mul(series, part), f32x4.splat(0.0096181291))
  series = f32x4.add(f32x4.mul(series, part), f32x4.splat(0.0555041087))
  series = f32x4.add(f32x4.mul(series, part), f32x4.splat(0.2402265070))
  series = f32x4.add(f32x4.mul(series, part), f32x4.splat(0.6931471806))
  series = f32x4.add(f32x4.mul(series, part), f32x4.splat(1))
  const scale = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(whole), i32x4.splat(127)), 23)
  return f32x4.div(gate, f32x4.add(f32x4.splat(1), f32x4.mul(series, scale)))
}

// @ts-expect-error: decorator
@inline
function total(lanes: v128): f64 {
  return f64x2.extract_lane(lanes, 0) + f64x2.extract_lane(lanes, 1)
}
