#include "backend/cpu/thread_pool.h"

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace plumbline::cpu {
namespace {

/// Longer than what lies between two tokens (sampling included), far shorter than what anyone would notice as load.
constexpr std::chrono::microseconds kSpinTime{200};

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Returns once `value` is no longer `old`: spins first, then sleeps.
void wait_while(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  const auto until = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < 64; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      relax();
    }
  } while (std::chrono::steady_clock::now() < until);
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(unsigned threads) {
  workers_.reserve(threads - 1);
  try {
    for (unsigned index = 1; index < threads; ++index) {
      workers_.emplace_back([this, index] { worker(index); });
    }
  } catch (...) {
    // The system has no more threads to give: those that are running must not outlive this.
    stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  started_.fetch_add(1, std::memory_order_release);
  started_.notify_all();
  for (std::thread& thread : workers_) thread.join();
}

void ThreadPool::start(Entry entry, const void* context) {
  if (workers_.empty()) return entry(context, 0);
  entry_ = entry;
  context_ = context;
  working_.store(static_cast<std::uint32_t>(workers_.size()), std::memory_order_relaxed);
  started_.fetch_add(1, std::memory_order_release);
  started_.notify_all();
  entry(context, 0);
  for (std::uint32_t left; (left = working_.load(std::memory_order_acquire)) != 0;) wait_while(working_, left);
}

void ThreadPool::worker(unsigned index) {
  for (std::uint32_t seen = 0;; ++seen) {
    wait_while(started_, seen);
    if (stopping_.load(std::memory_order_relaxed)) return;
    entry_(context_, index);
    if (working_.fetch_sub(1, std::memory_order_acq_rel) == 1) working_.notify_one();
  }
}

}  // namespace plumbline::cpu
