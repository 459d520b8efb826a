#include <atomic>
#include <cstddef>
#include <cstdint>

#include "bench/limits.h"
#include "bench/on_threads.h"

namespace plumbline::bench {
namespace {

/// Eight times the last-level cache of most machines.
constexpr std::size_t kBytes = std::size_t{512} << 20;
constexpr int kPasses = 4;
constexpr std::size_t kStreams = 8;

/// Sums in 8 independent accumulators of 64 bytes: the compiler makes vector loads of it, of whatever width it is given.
using Line = std::uint64_t __attribute__((vector_size(64)));

#if defined(__x86_64__)
#define PLUMBLINE_WIDEST_LOADS __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define PLUMBLINE_WIDEST_LOADS
#endif

PLUMBLINE_WIDEST_LOADS std::uint64_t sum(const std::byte* bytes, std::size_t count) {
  const auto* const lines = reinterpret_cast<const Line*>(bytes);
  Line sums[kStreams] = {};
  for (std::size_t i = 0; i + kStreams <= count / sizeof(Line); i += kStreams) {
    for (std::size_t k = 0; k < kStreams; ++k) sums[k] += lines[i + k];
  }
  std::uint64_t total = 0;
  for (const Line& partial : sums) {
    for (int lane = 0; lane < 8; ++lane) total += partial[lane];
  }
  return total;
}

}  // namespace

double read_bandwidth(unsigned threads) {
  // Not all the same page of zeros: every byte is written once.
  const std::vector<std::uint64_t> buffer(kBytes / sizeof(std::uint64_t), 1);
  const std::size_t share = kBytes / threads / (kStreams * sizeof(Line)) * (kStreams * sizeof(Line));
  const auto* const begin = reinterpret_cast<const std::byte*>(buffer.data());
  const std::size_t misaligned = reinterpret_cast<std::uintptr_t>(begin) % sizeof(Line);
  const std::byte* const aligned = begin + (misaligned == 0 ? 0 : sizeof(Line) - misaligned);
  const std::size_t usable = share - kStreams * sizeof(Line);
  std::atomic<std::uint64_t> total = 0;
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const double seconds =
        seconds_on_threads(threads, [&](unsigned thread) { total += sum(aligned + thread * share, usable); });
    best = std::max(best, static_cast<double>(usable) * threads / seconds);
  }
  return total.load() == 0 ? 0 : best;
}

}  // namespace plumbline::bench
