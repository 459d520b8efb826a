#include <cstdint>

#include "bench/measure_peak.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace plumbline::bench {
namespace {

/// Keeps the compiler from seeing that an operand is the same in every round.
#define PLUMBLINE_OPAQUE(vector) asm volatile("" : "+x"(vector))

// Ten sums hide the latency of five cycles at two a cycle.

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bw,avx512vnni"), noinline)) double run_vnni(std::uint64_t rounds) {
  __m512i a = _mm512_set1_epi8(3);
  const __m512i b = _mm512_set1_epi8(1);
  __m512i s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a, s9 = a;
  PLUMBLINE_OPAQUE_TEN("+v");
  for (std::uint64_t i = 0; i < rounds; ++i) {
    asm volatile("" : "+v"(a));
    s0 = _mm512_dpbusd_epi32(s0, a, b);
    s1 = _mm512_dpbusd_epi32(s1, a, b);
    s2 = _mm512_dpbusd_epi32(s2, a, b);
    s3 = _mm512_dpbusd_epi32(s3, a, b);
    s4 = _mm512_dpbusd_epi32(s4, a, b);
    s5 = _mm512_dpbusd_epi32(s5, a, b);
    s6 = _mm512_dpbusd_epi32(s6, a, b);
    s7 = _mm512_dpbusd_epi32(s7, a, b);
    s8 = _mm512_dpbusd_epi32(s8, a, b);
    s9 = _mm512_dpbusd_epi32(s9, a, b);
  }
  asm volatile("" : : "v"(s0), "v"(s1), "v"(s2), "v"(s3), "v"(s4), "v"(s5), "v"(s6), "v"(s7), "v"(s8), "v"(s9));
  return 10 * 64 * 2;
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
