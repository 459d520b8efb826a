#pragma once

#include <algorithm>
#include <barrier>
#include <chrono>
#include <thread>
#include <vector>

namespace plumbline::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

/// Calls work(thread) on `threads` threads at once. The seconds from the first one's begin to the last one's end.
template <class Work>
double seconds_on_threads(unsigned threads, const Work& work) {
  std::barrier begin(static_cast<std::ptrdiff_t>(threads));
  std::vector<Clock::time_point> begins(threads);
  std::vector<Clock::time_point> ends(threads);
  {
    std::vector<std::jthread> running;
    for (unsigned thread = 0; thread < threads; ++thread) {
      running.emplace_back([&, thread] {
        begin.arrive_and_wait();
        begins[thread] = Clock::now();
        work(thread);
        ends[thread] = Clock::now();
      });
    }
  }
  return seconds_between(*std::ranges::min_element(begins), *std::ranges::max_element(ends));
}

}  // namespace plumbline::bench
