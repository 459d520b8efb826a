#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "bench/limits.h"
#include "bench/on_threads.h"

/// What memory can give is what the best of several ways to read it gets: one sequence of addresses a thread or a few side by
/// side, left to the hardware's prefetcher or fetched ahead. Which one that is differs from machine to machine. Of each way the
/// median of a few passes counts: shared memory gives twice as much for some milliseconds, which is nothing to live on.
namespace plumbline::bench {
namespace {

/// Eight times the last-level cache of most machines.
constexpr std::size_t kBytes = std::size_t{512} << 20;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kPasses = 7;
constexpr std::size_t kMostStreams = 8;
/// Lines of a stream that are summed before the next stream's turn.
constexpr std::size_t kTurn = 8;

/// The compiler makes vector loads of it, of whatever width it is given.
using Line = std::uint64_t __attribute__((vector_size(64)));

struct Way {
  std::size_t streams;
  /// How far ahead lines are asked for; 0: not at all.
  std::size_t lines_ahead;
};
constexpr Way kWays[] = {{1, 0}, {1, 64}, {2, 0}, {4, 0}};

#if defined(__x86_64__)
#define PLUMBLINE_WIDEST_LOADS __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define PLUMBLINE_WIDEST_LOADS
#endif

/// Eight independent accumulators, whatever the way.
PLUMBLINE_WIDEST_LOADS std::uint64_t sum(const Line* lines, std::size_t count, const Way& way) {
  const std::size_t stream = count / kMostStreams / kTurn * kTurn * (kMostStreams / way.streams);
  Line sums[kTurn] = {};
  for (std::size_t i = 0; i < stream; i += kTurn) {
    for (std::size_t s = 0; s < way.streams; ++s) {
      const Line* const at = lines + s * stream + i;
      // Beyond the end nothing happens.
      if (way.lines_ahead > 0) {
        for (std::size_t k = 0; k < kTurn; ++k) __builtin_prefetch(at + way.lines_ahead + k, 0, 2);
      }
      for (std::size_t k = 0; k < kTurn; ++k) sums[k] += at[k];
    }
  }
  std::uint64_t total = 0;
  for (const Line& partial : sums) {
    for (int lane = 0; lane < 8; ++lane) total += partial[lane];
  }
  return total;
}

struct Free {
  void operator()(void* address) const { std::free(address); }
};

}  // namespace

double read_bandwidth(unsigned threads) {
  const std::unique_ptr<void, Free> buffer(std::aligned_alloc(kHugePage, kBytes));
  if (buffer == nullptr) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  // As weights lie: misses of the address translation are not the memory's.
  ::madvise(buffer.get(), kBytes, MADV_HUGEPAGE);
#endif
  // Written once, so that it is not all the same page of zeros.
  std::memset(buffer.get(), 1, kBytes);
  const auto* const lines = static_cast<const Line*>(buffer.get());
  const std::size_t share = kBytes / sizeof(Line) / threads;
  const std::size_t read = share / kMostStreams / kTurn * kTurn * kMostStreams * sizeof(Line) * threads;
  std::atomic<std::uint64_t> total = 0;
  std::array<std::array<double, kPasses>, std::size(kWays)> seconds;
  // In turn, so that what disturbs one way disturbs the others too.
  for (std::size_t pass = 0; pass < kPasses; ++pass) {
    for (std::size_t way = 0; way < seconds.size(); ++way) {
      seconds[way][pass] = seconds_on_threads(
          threads, [&](unsigned thread) { total += sum(lines + thread * share, share, kWays[way]); });
    }
  }
  double best = 0;
  for (auto& passes : seconds) {
    std::ranges::nth_element(passes, passes.begin() + kPasses / 2);
    best = std::max(best, static_cast<double>(read) / passes[kPasses / 2]);
  }
  return total.load() == 0 ? 0 : best;
}

}  // namespace plumbline::bench
