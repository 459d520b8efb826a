#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

/// Sixteen float32 lanes, on whatever registers the translation unit is compiled for (-mavx512…: one, -mavx2: two,
/// otherwise four). What `exact` uses computes the same bits in every variant: a lane is only ever added, multiplied,
/// divided or compared (no fused multiply-add, which not every machine has), and `sum` adds the lanes as one fixed tree.
///
/// Kernel sources are compiled once a variant, into a namespace of its own, PLUMBLINE_VARIANT. They must call no inline
/// function of another namespace that the compiler might emit as a symbol: the linker keeps one copy of those, and it may
/// be the one that this machine cannot run. Hence no <algorithm> and no <span> in there.
namespace plumbline::cpu::PLUMBLINE_VARIANT {

#define PLUMBLINE_INLINE inline __attribute__((always_inline))

inline constexpr std::size_t kLanes = 16;

/// Calls body(i) for i from 0 to Count - 1, written out by the front end: g++ keeps arrays of vectors in registers only
/// where all indices are constants before its loop passes.
template <std::size_t Count, class Body>
PLUMBLINE_INLINE void unrolled(const Body& body) {
  [&]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
    (body(I), ...);
  }(std::make_index_sequence<Count>());
}
#define PLUMBLINE_UNROLLED(i) [&](std::size_t i) __attribute__((always_inline))

#if defined(__AVX512F__)
inline constexpr std::size_t kRegisterBytes = 64;
#elif defined(__AVX2__)
inline constexpr std::size_t kRegisterBytes = 32;
#else
inline constexpr std::size_t kRegisterBytes = 16;
#endif
inline constexpr std::size_t kRegisters = kLanes * sizeof(float) / kRegisterBytes;
inline constexpr std::size_t kRegisterLanes = kLanes / kRegisters;

typedef float FloatRegister __attribute__((vector_size(kRegisterBytes)));
typedef std::int32_t IntRegister __attribute__((vector_size(kRegisterBytes)));
typedef float Float4 __attribute__((vector_size(16)));
typedef std::uint8_t U8x16 __attribute__((vector_size(16)));

struct F32x16 {
  FloatRegister v[kRegisters];

  static PLUMBLINE_INLINE F32x16 zero() { return broadcast(0.0f); }
  static PLUMBLINE_INLINE F32x16 broadcast(float x) {
    F32x16 out;
    // Minus, not plus: -0 + 0 would be +0.
    unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) { out.v[i] = x - FloatRegister{}; });
    return out;
  }
  static PLUMBLINE_INLINE F32x16 load(const void* at) {
    F32x16 out;
    const auto* bytes = static_cast<const std::byte*>(at);
    unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) {
      std::memcpy(&out.v[i], bytes + i * kRegisterBytes, kRegisterBytes);
    });
    return out;
  }
  PLUMBLINE_INLINE void store(void* at) const {
    auto* bytes = static_cast<std::byte*>(at);
    unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) { std::memcpy(bytes + i * kRegisterBytes, &v[i], kRegisterBytes); });
  }

#define PLUMBLINE_LANEWISE(op)                                                     \
  friend PLUMBLINE_INLINE F32x16 operator op(const F32x16& a, const F32x16& b) {   \
    F32x16 out;                                                                    \
    unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) { out.v[i] = a.v[i] op b.v[i]; });  \
    return out;                                                                    \
  }
  PLUMBLINE_LANEWISE(+)
  PLUMBLINE_LANEWISE(-)
  PLUMBLINE_LANEWISE(*)
  PLUMBLINE_LANEWISE(/)
#undef PLUMBLINE_LANEWISE
  PLUMBLINE_INLINE F32x16& operator+=(const F32x16& b) { return *this = *this + b; }
};

/// Lane by lane; b where either is NaN.
PLUMBLINE_INLINE F32x16 maximum(const F32x16& a, const F32x16& b) {
  F32x16 out;
  unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) { out.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  return out;
}
PLUMBLINE_INLINE F32x16 minimum(const F32x16& a, const F32x16& b) {
  F32x16 out;
  unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) { out.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  return out;
}

/// The four quarters of the lanes.
struct Quarters {
  Float4 q[4];
};

PLUMBLINE_INLINE Quarters quarters(const F32x16& x) {
  Quarters out;
#if defined(__AVX512F__)
  const __m512 v = x.v[0];
  out.q[0] = _mm512_castps512_ps128(v);
  out.q[1] = _mm512_extractf32x4_ps(v, 1);
  out.q[2] = _mm512_extractf32x4_ps(v, 2);
  out.q[3] = _mm512_extractf32x4_ps(v, 3);
#elif defined(__AVX2__)
  unrolled<2>(PLUMBLINE_UNROLLED(i) {
    out.q[2 * i] = _mm256_castps256_ps128(x.v[i]);
    out.q[2 * i + 1] = _mm256_extractf128_ps(x.v[i], 1);
  });
#else
  unrolled<4>(PLUMBLINE_UNROLLED(i) { out.q[i] = x.v[i]; });
#endif
  return out;
}

/// Adds lanes 8 apart, then 4 apart, then 2, then 1.
PLUMBLINE_INLINE float sum(const F32x16& x) {
  const Quarters p = quarters(x);
  const Float4 four = (p.q[0] + p.q[2]) + (p.q[1] + p.q[3]);
  return (four[0] + four[2]) + (four[1] + four[3]);
}

PLUMBLINE_INLINE float largest(const F32x16& x) {
  float lanes[kLanes];
  x.store(lanes);
  float out = lanes[0];
  for (std::size_t i = 1; i < kLanes; ++i) out = lanes[i] > out ? lanes[i] : out;
  return out;
}

PLUMBLINE_INLINE U8x16 load_bytes(const void* at) {
  U8x16 out;
  std::memcpy(&out, at, sizeof out);
  return out;
}

/// Unsigned bytes as floats.
PLUMBLINE_INLINE F32x16 to_float(U8x16 bytes) {
  F32x16 out;
#if defined(__AVX512F__)
  out.v[0] = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(reinterpret_cast<__m128i>(bytes)));
#elif defined(__AVX2__)
  const __m128i low = reinterpret_cast<__m128i>(bytes);
  out.v[0] = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(low));
  out.v[1] = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(low, 8)));
#else
  // Bytes to words to doublewords by interleaving with zeros, which SSE2 and NEON have instructions for.
  const U8x16 zeros = {};
  const U8x16 words[2] = {
      __builtin_shufflevector(bytes, zeros, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
      __builtin_shufflevector(bytes, zeros, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)};
  unrolled<4>(PLUMBLINE_UNROLLED(i) {
    const U8x16 w = words[i / 2];
    const U8x16 d = i % 2 == 0
                        ? __builtin_shufflevector(w, zeros, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23)
                        : __builtin_shufflevector(w, zeros, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
    out.v[i] = __builtin_convertvector(reinterpret_cast<IntRegister>(d), FloatRegister);
  });
#endif
  return out;
}

/// 16 signed bytes as floats.
PLUMBLINE_INLINE F32x16 load_signed_bytes(const std::int8_t* at) {
  // x + 128 as an unsigned byte, and 128 away again: exact.
  return to_float(load_bytes(at) ^ 0x80) - F32x16::broadcast(128.0f);
}

/// 16 bfloat16 values, wherever they lie.
PLUMBLINE_INLINE F32x16 load_bf16(const void* at) {
  std::uint16_t in[kLanes];
  std::uint32_t bits[kLanes];
  std::memcpy(in, at, sizeof in);
  for (std::size_t i = 0; i < kLanes; ++i) bits[i] = static_cast<std::uint32_t>(in[i]) << 16;
  return F32x16::load(bits);
}

/// IEEE 754 binary16, exactly.
PLUMBLINE_INLINE float f16_to_float(std::uint16_t half) {
#if defined(__F16C__)
  return _cvtsh_ss(half);
#else
  // Shifted into place the exponent is 112 too small, which a multiplication mends, subnormals included; what had the
  // largest exponent (infinity, NaN) gets the largest one.
  const std::uint32_t magnitude = static_cast<std::uint32_t>(half & 0x7fff) << 13;
  float scaled;
  std::memcpy(&scaled, &magnitude, sizeof scaled);
  scaled *= 0x1p112f;
  std::uint32_t bits;
  std::memcpy(&bits, &scaled, sizeof bits);
  if (magnitude >= 0x0f800000u) bits |= 0x7f800000u;
  bits |= static_cast<std::uint32_t>(half & 0x8000) << 16;
  float out;
  std::memcpy(&out, &bits, sizeof out);
  return out;
#endif
}

PLUMBLINE_INLINE float load_f16(const void* at) {
  std::uint16_t half;
  std::memcpy(&half, at, sizeof half);
  return f16_to_float(half);
}

/// 16 float16 values, wherever they lie.
PLUMBLINE_INLINE F32x16 load_f16x16(const std::uint16_t* at) {
  F32x16 out;
#if defined(__AVX512F__)
  out.v[0] = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
#elif defined(__AVX2__)
  out.v[0] = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
  out.v[1] = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 8)));
#else
  float lanes[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = f16_to_float(at[i]);
  out = F32x16::load(lanes);
#endif
  return out;
}

/// e^x to about 1 unit in the last place, for x clamped to [-87, 88]; NaN stays NaN. Argument reduction by ln 2 in two
/// parts and a polynomial of degree 6 for (e^r - 1 - r) / r^2: Cephes, expf.c (S. Moshier).
PLUMBLINE_INLINE F32x16 exponential(F32x16 x) {
  x = minimum(F32x16::broadcast(88.0f), maximum(F32x16::broadcast(-87.0f), x));
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
  const F32x16 magic = F32x16::broadcast(12582912.0f);
  const F32x16 shifted = x * F32x16::broadcast(1.44269504088896341f) + magic;
  const F32x16 n = shifted - magic;
  const F32x16 r = (x - n * F32x16::broadcast(0.693359375f)) - n * F32x16::broadcast(-2.12194440e-4f);
  F32x16 p = F32x16::broadcast(1.9875691500e-4f);
  p = p * r + F32x16::broadcast(1.3981999507e-3f);
  p = p * r + F32x16::broadcast(8.3334519073e-3f);
  p = p * r + F32x16::broadcast(4.1665795894e-2f);
  p = p * r + F32x16::broadcast(1.6666665459e-1f);
  p = p * r + F32x16::broadcast(5.0000001201e-1f);
  p = (p * (r * r) + r) + F32x16::broadcast(1.0f);
  F32x16 out;
  unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) {
    const IntRegister exponent = reinterpret_cast<IntRegister>(shifted.v[i]) << 23;
    out.v[i] = reinterpret_cast<FloatRegister>(reinterpret_cast<IntRegister>(p.v[i]) + exponent);
  });
  return out;
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
