#include "backend/cpu/fast_ops.h"

/// Activations as int8 with one float32 scale for 16 of them: value = scale * quant, rounded to the nearest, ties to even.
namespace plumbline::cpu::PLUMBLINE_VARIANT {
namespace {

static_assert(kBlockValues == 2 * kLanes);

typedef std::int32_t Int4 __attribute__((vector_size(16)));
typedef std::int16_t I16x8 __attribute__((vector_size(16)));

PLUMBLINE_INLINE Int4 larger(Int4 a, Int4 b) { return a > b ? a : b; }

/// The largest magnitude, with NaN above all: what has one then gets the scale NaN, which nobody can overlook.
PLUMBLINE_INLINE float largest_magnitude(const F32x16& x) {
  // Floats without their sign are ordered as the integers that their bits are.
  const Quarters parts = quarters(x);
  Int4 most[4];
  unrolled<4>(PLUMBLINE_UNROLLED(i) { most[i] = reinterpret_cast<Int4>(parts.q[i]) & 0x7fffffff; });
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

struct Half {
  float scale;
  Float4 sums;  ///< of the quants, four lanes apart
};

PLUMBLINE_INLINE Half quantise_half(const float* in, std::int8_t* out) {
  const F32x16 x = F32x16::load(in);
  const float most = largest_magnitude(x);
  // Below that the inverse would overflow, and such activations change nothing.
  const F32x16 inverse = F32x16::broadcast(most < 1e-30f ? 0.0f : 127.0f / most);
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
  const F32x16 magic = F32x16::broadcast(12582912.0f);
  const F32x16 shifted = x * inverse + magic;
  store_bytes(shifted, out);
  const Quarters parts = quarters(shifted - magic);
  return {most * (1.0f / 127.0f), (parts.q[0] + parts.q[1]) + (parts.q[2] + parts.q[3])};
}

PLUMBLINE_INLINE void quantise_block(const float* in, ActivationBlock& out) {
  const Half low = quantise_half(in, out.quants);
  const Half high = quantise_half(in + kLanes, out.quants + kLanes);
  // Both trees at once: lane 0 becomes the sum of the low ones, lane 1 of the high ones. Small integers: exact.
  Float4 sums = __builtin_shufflevector(low.sums, high.sums, 0, 4, 1, 5) +
                __builtin_shufflevector(low.sums, high.sums, 2, 6, 3, 7);
  sums += __builtin_shufflevector(sums, sums, 2, 3, 0, 1);
  // Where the scale is no finite number neither are the sums: then the integers count for nothing.
  const Int4 minus = __builtin_convertvector(sums == sums ? Float4{} - sums : Float4{}, Int4);
  out.scales[0] = low.scale;
  out.scales[1] = high.scale;
  out.scaled_sum = low.scale * sums[0] + high.scale * sums[1];
  out.minus_sums[0] = minus[0];
  out.minus_sums[1] = minus[1];
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
