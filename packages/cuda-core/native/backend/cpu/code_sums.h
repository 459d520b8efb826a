#pragma once

#include "backend/cpu/fast_ops.h"

/// The integer half of a dot product of a packed block: sums over unsigned codes times signed activations, one a row.
/// They are exact, so every variant gets the same ones.
namespace plumbline::cpu::PLUMBLINE_VARIANT {

typedef std::uint8_t CodeRegister __attribute__((vector_size(kRegisterBytes)));
typedef std::uint32_t WordRegister __attribute__((vector_size(kRegisterBytes)));

/// Four codes of each of sixteen rows: a plane, or bits of one.
struct Codes {
  CodeRegister v[kRegisters];

  static PLUMBLINE_INLINE Codes load(const Plane& plane) {
    Codes out;
    unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) { std::memcpy(&out.v[i], plane + i * kRegisterBytes, kRegisterBytes); });
    return out;
  }
  friend PLUMBLINE_INLINE Codes operator|(const Codes& a, const Codes& b) {
    Codes out;
    unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) { out.v[i] = a.v[i] | b.v[i]; });
    return out;
  }
  /// Every byte shifted right (left where `by` is negative), and of that the bits of `mask`: the word shift that machines
  /// have brings in neighbours' bits, which the mask must clear.
  PLUMBLINE_INLINE Codes bits(int by, std::uint8_t mask) const {
    Codes out;
    unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) {
      const auto words = reinterpret_cast<WordRegister>(v[i]);
      out.v[i] = reinterpret_cast<CodeRegister>(by < 0 ? words << -by : words >> by) & mask;
    });
    return out;
  }
};

/// Four quants of a token, as each row will meet them.
struct FourQuants {
  std::int32_t bytes;
  explicit PLUMBLINE_INLINE FourQuants(const std::int8_t* quants) { std::memcpy(&bytes, quants, 4); }
};

#if defined(__AVX512VNNI__)

/// Sixteen sums of products over half a block: four steps of four values.
template <unsigned kOffset, unsigned>
struct CodeSums {
  __m512i sums;

  /// `minus_sum`: of the quants to come; codes are kOffset too large.
  PLUMBLINE_INLINE void begin(std::int32_t minus_sum) {
    if constexpr (kOffset == 0) {
      sums = _mm512_setzero_si512();
    } else {
      sums = _mm512_slli_epi32(_mm512_set1_epi32(minus_sum), __builtin_ctz(kOffset));
    }
  }
  /// The `step`-th four values.
  PLUMBLINE_INLINE void add(std::size_t, const Codes& codes, const FourQuants& quants) {
    sums = _mm512_dpbusd_epi32(sums, reinterpret_cast<__m512i>(codes.v[0]), _mm512_set1_epi32(quants.bytes));
  }
  PLUMBLINE_INLINE F32x16 total() const { return {{_mm512_cvtepi32_ps(sums)}}; }
};

#elif defined(__AVX2__)

/// Products are added in pairs as 16-bit integers: codes of up to 31 allow four steps of that before they must be widened. Larger
/// ones with their offset taken away are within +-128, so that a pair of products is below 2^15; as it stands it may not be.
template <unsigned kOffset, unsigned kMaxCode>
struct CodeSums {
  static constexpr bool kSigned = kMaxCode > 127;
  static_assert(!kSigned || kOffset == 128);
  /// |quant| <= 127, two to a pair.
  static constexpr std::size_t kSteps = kSigned ? 1 : kMaxCode * 127 * 2 * 4 <= 32767 ? 4 : 2;
  static_assert(kSigned || kMaxCode * 127 * 2 * kSteps <= 32767);
  __m256i pairs[2];
  __m256i sums[2];

  PLUMBLINE_INLINE void begin(std::int32_t minus_sum) {
    const int start = kSigned ? 0 : minus_sum * static_cast<int>(kOffset);
    unrolled<2>(PLUMBLINE_UNROLLED(i) { sums[i] = _mm256_set1_epi32(start); });
  }
  PLUMBLINE_INLINE void add(std::size_t step, const Codes& codes, const FourQuants& quants) {
    const __m256i x = _mm256_set1_epi32(quants.bytes);
    unrolled<2>(PLUMBLINE_UNROLLED(i) {
      __m256i products;
      if constexpr (kSigned) {
        const __m256i values = _mm256_xor_si256(reinterpret_cast<__m256i>(codes.v[i]), _mm256_set1_epi8(-128));
        products = _mm256_maddubs_epi16(_mm256_abs_epi8(values), _mm256_sign_epi8(x, values));
      } else {
        products = _mm256_maddubs_epi16(reinterpret_cast<__m256i>(codes.v[i]), x);
      }
      pairs[i] = step % kSteps == 0 ? products : _mm256_add_epi16(pairs[i], products);
      if (step % kSteps == kSteps - 1) widen(i);
    });
  }
  PLUMBLINE_INLINE F32x16 total() const { return {{_mm256_cvtepi32_ps(sums[0]), _mm256_cvtepi32_ps(sums[1])}}; }

 private:
  PLUMBLINE_INLINE void widen(std::size_t i) {
    sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(pairs[i], _mm256_set1_epi16(1)));
  }
};

#else

/// Every second code and quant as 16-bit integers: a product is at most 255 * 127, which they hold.
template <unsigned kOffset, unsigned>
struct CodeSums {
  typedef std::int16_t PairRegister __attribute__((vector_size(kRegisterBytes)));
  IntRegister sums[kRegisters];

  PLUMBLINE_INLINE void begin(std::int32_t minus_sum) {
    unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) {
      sums[i] = minus_sum * static_cast<std::int32_t>(kOffset) + IntRegister{};
    });
  }
  PLUMBLINE_INLINE void add(std::size_t, const Codes& codes, const FourQuants& quants) {
    const IntRegister x = quants.bytes + IntRegister{};
    const auto even_quants = reinterpret_cast<PairRegister>(x << 8) >> 8;
    const auto odd_quants = reinterpret_cast<PairRegister>(x) >> 8;
    unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) {
      const auto even_codes = reinterpret_cast<PairRegister>(codes.v[i]) & 255;
      const auto odd_codes = reinterpret_cast<PairRegister>(reinterpret_cast<WordRegister>(codes.v[i]) >> 8) & 255;
      sums[i] += both(even_codes * even_quants) + both(odd_codes * odd_quants);
    });
  }
  PLUMBLINE_INLINE F32x16 total() const {
    F32x16 out;
    unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) { out.v[i] = __builtin_convertvector(sums[i], FloatRegister); });
    return out;
  }

 private:
  /// The sum of the two 16-bit integers that a lane holds.
  static PLUMBLINE_INLINE IntRegister both(PairRegister pairs) {
    const auto words = reinterpret_cast<IntRegister>(pairs);
    return (words << 16 >> 16) + (words >> 16);
  }
};

#endif

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
