#include "backend/cpu/fast_ops.h"

/// Activations as int8 with one float32 scale for 32 of them: value = scale * quant, rounded to the nearest, ties to even.
namespace plumbline::cpu::PLUMBLINE_VARIANT {
namespace {

static_assert(kBlockValues == 2 * kLanes);

typedef std::int32_t Int4 __attribute__((vector_size(16)));
typedef std::int16_t I16x8 __attribute__((vector_size(16)));

PLUMBLINE_INLINE Int4 larger(Int4 a, Int4 b) { return a > b ? a : b; }

/// The largest magnitude, with NaN above all: a block with one then gets the scale NaN, which nobody can overlook.
PLUMBLINE_INLINE float largest_magnitude(const F32x16& a, const F32x16& b) {
  // Floats without their sign are ordered as the integers that their bits are.
  const auto magnitude = [](Float4 x) __attribute__((always_inline)) { return reinterpret_cast<Int4>(x) & 0x7fffffff; };
  const Quarters x = quarters(a);
  const Quarters y = quarters(b);
  Int4 most[4];
  unrolled<4>(PLUMBLINE_UNROLLED(i) { most[i] = larger(magnitude(x.q[i]), magnitude(y.q[i])); });
  Int4 four = larger(larger(most[0], most[1]), larger(most[2], most[3]));
  four = larger(four, __builtin_shufflevector(four, four, 2, 3, 0, 1));
  four = larger(four, __builtin_shufflevector(four, four, 1, 0, 3, 2));
  return reinterpret_cast<Float4>(four)[0];
}

/// Writes the lowest byte of each lane.
PLUMBLINE_INLINE void store_bytes(const F32x16& x, std::int8_t* out) {
#if defined(__AVX512F__)
  const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_castps_si512(x.v[0]));
#else
  const Quarters parts = quarters(x);
  const auto even_words = [](Float4 a, Float4 b) __attribute__((always_inline)) {
    return __builtin_shufflevector(reinterpret_cast<I16x8>(a), reinterpret_cast<I16x8>(b), 0, 2, 4, 6, 8, 10, 12, 14);
  };
  const U8x16 bytes = __builtin_shufflevector(reinterpret_cast<U8x16>(even_words(parts.q[0], parts.q[1])),
                                              reinterpret_cast<U8x16>(even_words(parts.q[2], parts.q[3])), 0, 2, 4, 6,
                                              8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
#endif
  std::memcpy(out, &bytes, sizeof bytes);
}

/// Writes 16 quants and returns their sums, four lanes apart.
PLUMBLINE_INLINE Float4 put_quants(const F32x16& x, const F32x16& inverse, std::int8_t* out) {
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
  const F32x16 magic = F32x16::broadcast(12582912.0f);
  const F32x16 shifted = x * inverse + magic;
  store_bytes(shifted, out);
  const Quarters parts = quarters(shifted - magic);
  return (parts.q[0] + parts.q[1]) + (parts.q[2] + parts.q[3]);
}

PLUMBLINE_INLINE void quantise_block(const float* in, ActivationBlock& out) {
  const F32x16 low = F32x16::load(in);
  const F32x16 high = F32x16::load(in + kLanes);
  const float most = largest_magnitude(low, high);
  // Below that the inverse would overflow, and such activations change nothing.
  const F32x16 inverse = F32x16::broadcast(most < 1e-30f ? 0.0f : 127.0f / most);
  const Float4 low_sums = put_quants(low, inverse, out.quants);
  const Float4 high_sums = put_quants(high, inverse, out.quants + kLanes);
  // Both trees at once: lane 0 becomes the sum of the low ones, lane 1 of the high ones. Small integers: exact.
  Float4 both = __builtin_shufflevector(low_sums, high_sums, 0, 4, 1, 5) +
                __builtin_shufflevector(low_sums, high_sums, 2, 6, 3, 7);
  both += __builtin_shufflevector(both, both, 2, 3, 0, 1);
  const Float4 totals = both + __builtin_shufflevector(both, both, 1, 0, 3, 2);
  // Not a number where the scale is none: then the integers, whatever they are, count for nothing.
  const Int4 minus = __builtin_convertvector(Float4{} - __builtin_shufflevector(totals, both, 0, 4, 1, 5), Int4);
  out.scale = most * (1.0f / 127.0f);
  out.scaled_sum = out.scale * totals[0];
  out.minus_sum = minus[0];
  out.minus_low_sum = minus[1];
}

}  // namespace

void quantise(const QuantiseArguments& arguments, const Slice& slice) {
  const std::size_t blocks = arguments.in.width / kBlockValues;
  const Range all = share(arguments.in.rows * blocks, slice);
  std::size_t r = all.begin / blocks;
  std::size_t b = all.begin % blocks;
  for (std::size_t i = all.begin; i < all.end; ++i) {
    quantise_block(row(arguments.in, r) + b * kBlockValues, arguments.out[i]);
    if (++b == blocks) {
      b = 0;
      ++r;
    }
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
