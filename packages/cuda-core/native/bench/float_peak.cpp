#include <cstdint>

#include "bench/measure_peak.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace plumbline::bench {
namespace {

// Ten sums hide the latency of four or five cycles at two a cycle.

#if defined(__x86_64__)
__attribute__((target("avx512f"), noinline)) double run_avx512(std::uint64_t rounds) {
  const __m512 a = _mm512_set1_ps(0.5f);
  __m512 s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a, s9 = a;
  PLUMBLINE_OPAQUE_TEN("+v");
  for (std::uint64_t i = 0; i < rounds; ++i) {
    s0 = _mm512_fmadd_ps(s0, a, a);
    s1 = _mm512_fmadd_ps(s1, a, a);
    s2 = _mm512_fmadd_ps(s2, a, a);
    s3 = _mm512_fmadd_ps(s3, a, a);
    s4 = _mm512_fmadd_ps(s4, a, a);
    s5 = _mm512_fmadd_ps(s5, a, a);
    s6 = _mm512_fmadd_ps(s6, a, a);
    s7 = _mm512_fmadd_ps(s7, a, a);
    s8 = _mm512_fmadd_ps(s8, a, a);
    s9 = _mm512_fmadd_ps(s9, a, a);
  }
  asm volatile("" : : "v"(s0), "v"(s1), "v"(s2), "v"(s3), "v"(s4), "v"(s5), "v"(s6), "v"(s7), "v"(s8), "v"(s9));
  return 10 * 16 * 2;
}

__attribute__((target("avx2,fma"), noinline)) double run_fma(std::uint64_t rounds) {
  const __m256 a = _mm256_set1_ps(0.5f);
  __m256 s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a, s9 = a;
  PLUMBLINE_OPAQUE_TEN("+x");
  for (std::uint64_t i = 0; i < rounds; ++i) {
    s0 = _mm256_fmadd_ps(s0, a, a);
    s1 = _mm256_fmadd_ps(s1, a, a);
    s2 = _mm256_fmadd_ps(s2, a, a);
    s3 = _mm256_fmadd_ps(s3, a, a);
    s4 = _mm256_fmadd_ps(s4, a, a);
    s5 = _mm256_fmadd_ps(s5, a, a);
    s6 = _mm256_fmadd_ps(s6, a, a);
    s7 = _mm256_fmadd_ps(s7, a, a);
    s8 = _mm256_fmadd_ps(s8, a, a);
    s9 = _mm256_fmadd_ps(s9, a, a);
  }
  asm volatile("" : : "x"(s0), "x"(s1), "x"(s2), "x"(s3), "x"(s4), "x"(s5), "x"(s6), "x"(s7), "x"(s8), "x"(s9));
  return 10 * 8 * 2;
}
#endif

__attribute__((noinline)) double run_portable(std::uint64_t rounds) {
  float sums[32] = {};
  for (std::uint64_t i = 0; i < rounds; ++i) {
    for (float& sum : sums) sum = sum * 0.5f + 0.5f;
  }
  asm volatile("" : : "r"(sums) : "memory");
  return 32 * 2;
}

Method best_method() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {run_avx512, "AVX-512 vfmadd"};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {run_fma, "AVX2 FMA vfmadd"};
#endif
  return {run_portable, "what the compiler makes of plain C++"};
}

}  // namespace

Peak float_peak(unsigned threads) { return measure_peak(threads, best_method()); }

}  // namespace plumbline::bench
