#pragma once

#include <algorithm>
#include <cstdint>

#include "bench/limits.h"
#include "bench/on_threads.h"

/// Keeps the compiler from seeing what a vector holds: of sums that start equal, and so stay equal, it would compute one alone.
#define PLUMBLINE_OPAQUE(vector) asm volatile("" : "+v"(vector))

namespace plumbline::bench {

/// A loop that does nothing but compute.
struct Method {
  /// Returns the operations of one round.
  double (*run)(std::uint64_t rounds);
  const char* instructions;
};

/// The best of a few passes of the loop on `threads` threads at once.
inline Peak measure_peak(unsigned threads, const Method& method) {
  constexpr int kPasses = 4;
  constexpr std::uint64_t kRounds = 4'000'000;
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    std::vector<double> operations(threads);
    const double seconds =
        seconds_on_threads(threads, [&](unsigned thread) { operations[thread] = method.run(kRounds); });
    best = std::max(best, operations[0] * kRounds * threads / seconds);
  }
  return {best, method.instructions};
}

}  // namespace plumbline::bench
