#include <cstdint>

#include "bench/measure_peak.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace plumbline::bench {
namespace {

#if defined(__x86_64__)
/// Hide the latency of four or five cycles at two a cycle.
constexpr int kSums = 10;

__attribute__((target("avx512f"), noinline)) double run_avx512(std::uint64_t rounds) {
  const __m512 a = _mm512_set1_ps(0.5f);
  __m512 sums[kSums];
  for (__m512& sum : sums) {
    sum = a;
    PLUMBLINE_OPAQUE(sum);
  }
  for (std::uint64_t i = 0; i < rounds; ++i) {
    for (__m512& sum : sums) sum = _mm512_fmadd_ps(sum, a, a);
  }
  for (__m512& sum : sums) PLUMBLINE_OPAQUE(sum);
  return kSums * 16 * 2;
}

__attribute__((target("avx2,fma"), noinline)) double run_fma(std::uint64_t rounds) {
  const __m256 a = _mm256_set1_ps(0.5f);
  __m256 sums[kSums];
  for (__m256& sum : sums) {
    sum = a;
    PLUMBLINE_OPAQUE(sum);
  }
  for (std::uint64_t i = 0; i < rounds; ++i) {
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, a, a);
  }
  for (__m256& sum : sums) PLUMBLINE_OPAQUE(sum);
  return kSums * 8 * 2;
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
