#include <ctime>
#include <numeric>

#include "bench/limits.h"
#include "bench/on_threads.h"

namespace plumbline::bench {
namespace {

/// About 50 ms at 3 GHz: a product waits for the one before it.
constexpr std::uint64_t kSteps = 40'000'000;

double cpu_seconds_of_this_thread() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

Calibration calibrate(unsigned threads) {
  std::vector<double> cpu_seconds(threads);
  const double seconds = seconds_on_threads(threads, [&](unsigned thread) {
    const double begin = cpu_seconds_of_this_thread();
    std::uint64_t value = thread;
    for (std::uint64_t step = 0; step < kSteps; ++step) {
      value = value * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
      asm volatile("" : "+r"(value));
    }
    cpu_seconds[thread] = cpu_seconds_of_this_thread() - begin;
  });
  const double used = std::accumulate(cpu_seconds.begin(), cpu_seconds.end(), 0.0);
  return {seconds, std::max(0.0, 1 - used / (seconds * threads))};
}

}  // namespace plumbline::bench
