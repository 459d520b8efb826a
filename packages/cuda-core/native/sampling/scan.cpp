#include "sampling/scan.h"

#include <cmath>
#include <cstring>

#include "sampling/gumbel_noise.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Each body is compiled twice on x86: for what every machine has, and for AVX2.
#define PLUMBLINE_BODY inline __attribute__((always_inline))
#if defined(__x86_64__)
#define PLUMBLINE_AVX2 __attribute__((target("avx2,fma")))
#endif

namespace plumbline {
namespace {

#if defined(__x86_64__)
const bool has_avx2 = [] {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}();
#endif

typedef float Floats __attribute__((vector_size(32)));
typedef std::int32_t Ints __attribute__((vector_size(32)));
typedef double Doubles __attribute__((vector_size(64)));
typedef std::int64_t Longs __attribute__((vector_size(64)));
constexpr std::size_t kFloats = sizeof(Floats) / sizeof(float);
static_assert(kScanBlock % (2 * kFloats) == 0);

PLUMBLINE_BODY float largest_of(std::span<const float> values, std::int32_t& nonfinite) {
  float out = values[0];
  for (const float value : values) {
    out = value > out ? value : out;
    nonfinite |= std::isfinite(value) ? 0 : -1;
  }
  return out;
}

PLUMBLINE_BODY bool block_maxima_body(std::span<const float> values, float* maxima) {
  // What an infinity or a NaN has in its exponent, nothing else has.
  constexpr std::int32_t kExponent = 0x7f800000;
  Ints nonfinite = {};
  std::size_t i = 0;
  for (; i + kScanBlock <= values.size(); i += kScanBlock) {
    Floats most[2];
    for (std::size_t k = 0; k < kScanBlock; k += 2 * kFloats) {
      for (std::size_t j = 0; j < 2; ++j) {
        Floats x;
        std::memcpy(&x, values.data() + i + k + j * kFloats, sizeof x);
        most[j] = k == 0 || x > most[j] ? x : most[j];
        nonfinite |= (reinterpret_cast<Ints>(x) & kExponent) == kExponent;
      }
    }
    const Floats both = most[0] > most[1] ? most[0] : most[1];
    float out = both[0];
    for (std::size_t k = 1; k < kFloats; ++k) out = both[k] > out ? both[k] : out;
    maxima[i / kScanBlock] = out;
  }
  std::int32_t any = 0;
  if (i < values.size()) maxima[i / kScanBlock] = largest_of(values.subspan(i), any);
  for (std::size_t k = 0; k < kFloats; ++k) any |= nonfinite[k];
  return any == 0;
}

/// Argument reduction by ln 2 in two parts, and e^r = 1 + r + … + r^11 / 11! for |r| <= ln 2 / 2: the rest is below 1e-14.
PLUMBLINE_BODY Doubles exponential(Doubles x) {
  constexpr double kLowest = -700;
  x = x > kLowest ? x : Doubles{} + kLowest;
  // Adding 1.5 * 2^52 rounds to an integer, which then stands in the low bits.
  constexpr double kMagic = 6755399441055744.0;
  const Doubles shifted = x * 1.44269504088896340736 + kMagic;
  const Doubles n = shifted - kMagic;
  const Doubles r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
  Doubles p = Doubles{} + 1.0 / 39916800;
  for (const double factorial : {3628800., 362880., 40320., 5040., 720., 120., 24., 6., 2., 1., 1.}) p = p * r + 1 / factorial;
  return reinterpret_cast<Doubles>(reinterpret_cast<Longs>(p) + (reinterpret_cast<Longs>(shifted) << 52));
}

PLUMBLINE_BODY double sum_of_exponentials_body(std::span<const float> values, double largest, double temperature) {
  constexpr std::size_t kDoubles = sizeof(Doubles) / sizeof(double);
  Doubles sums = {};
  std::size_t i = 0;
  for (; i + kDoubles <= values.size(); i += kDoubles) {
    Floats x;
    std::memcpy(&x, values.data() + i, sizeof x);
    sums += exponential((__builtin_convertvector(x, Doubles) - largest) / temperature);
  }
  double total = 0;
  for (std::size_t k = 0; k < kDoubles; ++k) total += sums[k];
  for (; i < values.size(); ++i) total += std::exp((values[i] - largest) / temperature);
  return total;
}

#if defined(__x86_64__)

PLUMBLINE_AVX2 bool block_maxima_avx2(std::span<const float> values, float* maxima) {
  return block_maxima_body(values, maxima);
}

PLUMBLINE_AVX2 double sum_of_exponentials_avx2(std::span<const float> values, double largest, double temperature) {
  return sum_of_exponentials_body(values, largest, temperature);
}

/// Philox (philox.h) for four tokens at a time, a 64-bit lane each. Only the lower half of a lane counts: multiplications
/// look at nothing else, so what additions of the upper halves would be is left as it comes.
PLUMBLINE_AVX2 bool noise_words_avx2(std::uint64_t seed, std::uint32_t first_token, std::uint32_t answer_index,
                                     std::uint32_t threshold, std::uint32_t* words) {
  const __m256i multiplier0 = _mm256_set1_epi64x(0xD2511F53);
  const __m256i multiplier1 = _mm256_set1_epi64x(0xCD9E8D57);
  // Unsigned comparison: a >= b where the larger of the two is a.
  const __m128i least = _mm_set1_epi32(static_cast<std::int32_t>(threshold));
  const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
  __m128i found = _mm_setzero_si128();
  constexpr std::size_t kTogether = 4;  // independent chains, so that no multiplication waits for another
  for (std::size_t t = 0; t < kScanBlock; t += 4 * kTogether) {
    __m256i c0[kTogether], c1[kTogether], c2[kTogether], c3[kTogether];
    for (std::size_t k = 0; k < kTogether; ++k) {
      const auto token = static_cast<std::int64_t>(first_token + t + 4 * k);
      c0[k] = _mm256_add_epi64(_mm256_set1_epi64x(token), _mm256_setr_epi64x(0, 1, 2, 3));
      c1[k] = _mm256_set1_epi64x(answer_index);
      c2[k] = c3[k] = _mm256_setzero_si256();
    }
    auto key0 = static_cast<std::uint32_t>(seed);
    auto key1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      const __m256i k0 = _mm256_set1_epi64x(key0);
      const __m256i k1 = _mm256_set1_epi64x(key1);
      for (std::size_t k = 0; k < kTogether; ++k) {
        const __m256i product0 = _mm256_mul_epu32(multiplier0, c0[k]);
        const __m256i product1 = _mm256_mul_epu32(multiplier1, c2[k]);
        c0[k] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(product1, 32), c1[k]), k0);
        c2[k] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(product0, 32), c3[k]), k1);
        c1[k] = product1;
        c3[k] = product0;
      }
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
    for (std::size_t k = 0; k < kTogether; ++k) {
      const __m128i word = _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(c0[k], even));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(words + t + 4 * k), word);
      found = _mm_or_si128(found, _mm_cmpeq_epi32(_mm_max_epu32(word, least), word));
    }
  }
  return _mm_movemask_epi8(found) != 0;
}

#endif

}  // namespace

bool block_maxima(std::span<const float> values, float* maxima) {
#if defined(__x86_64__)
  if (has_avx2) return block_maxima_avx2(values, maxima);
#endif
  return block_maxima_body(values, maxima);
}

double sum_of_exponentials(std::span<const float> values, double largest, double temperature) {
#if defined(__x86_64__)
  if (has_avx2) return sum_of_exponentials_avx2(values, largest, temperature);
#endif
  return sum_of_exponentials_body(values, largest, temperature);
}

bool noise_words(std::uint64_t seed, std::uint32_t first_token, std::uint32_t answer_index, std::uint32_t threshold,
                 std::uint32_t* words) {
#if defined(__x86_64__)
  if (has_avx2) return noise_words_avx2(seed, first_token, answer_index, threshold, words);
#endif
  bool found = false;
  for (std::uint32_t i = 0; i < kScanBlock; ++i) {
    words[i] = noise_word(seed, first_token + i, answer_index);
    found |= words[i] >= threshold;
  }
  return found;
}

}  // namespace plumbline
