#include <cstdint>

#include "bench/measure_peak.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace plumbline::bench {
namespace {

#if defined(__x86_64__)
/// Hide the latency of five cycles at two a cycle.
constexpr int kSums = 10;

__attribute__((target("avx512f,avx512bw,avx512vnni"), noinline)) double run_vnni(std::uint64_t rounds) {
  const __m512i a = _mm512_set1_epi8(3);
  const __m512i b = _mm512_set1_epi8(1);
  __m512i sums[kSums];
  for (__m512i& sum : sums) {
    sum = a;
    PLUMBLINE_OPAQUE(sum);
  }
  for (std::uint64_t i = 0; i < rounds; ++i) {
    for (__m512i& sum : sums) sum = _mm512_dpbusd_epi32(sum, a, b);
  }
  for (__m512i& sum : sums) PLUMBLINE_OPAQUE(sum);
  return kSums * 64 * 2;
}

__attribute__((target("avx2"), noinline)) double run_avx2(std::uint64_t rounds) {
  __m256i a = _mm256_set1_epi8(3);
  const __m256i b = _mm256_set1_epi8(1);
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sums[8] = {};
  for (std::uint64_t i = 0; i < rounds; ++i) {
    for (__m256i& sum : sums) {
      PLUMBLINE_OPAQUE(a);
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
    }
  }
  for (const __m256i& sum : sums) asm volatile("" : : "x"(sum));
  return 8 * 32 * 2;
}
#endif

__attribute__((noinline)) double run_portable(std::uint64_t rounds) {
  std::int8_t a[64];
  std::int8_t b[64];
  for (int i = 0; i < 64; ++i) a[i] = b[i] = static_cast<std::int8_t>(i);
  std::int32_t sum = 0;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    asm volatile("" : : "r"(a), "r"(b) : "memory");
    for (int k = 0; k < 64; ++k) sum += a[k] * b[k];
  }
  asm volatile("" : : "r"(sum));
  return 64 * 2;
}

Method best_method() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vnni")) return {run_vnni, "AVX-512 VNNI vpdpbusd"};
  if (__builtin_cpu_supports("avx2")) return {run_avx2, "AVX2 vpmaddubsw, vpmaddwd, vpaddd"};
#endif
  return {run_portable, "what the compiler makes of plain C++"};
}

}  // namespace

Peak int8_peak(unsigned threads) { return measure_peak(threads, best_method()); }

}  // namespace plumbline::bench
