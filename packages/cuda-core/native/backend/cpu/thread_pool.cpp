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

/// Returns the value once it is no longer `old`: spins first, then sleeps.
std::uint32_t wait_while(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  const auto until = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < 64; ++i) {
      const std::uint32_t now = value.load(std::memory_order_acquire);
      if (now != old) return now;
      relax();
    }
  } while (std::chrono::steady_clock::now() < until);
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(unsigned threads) : thread_count_(threads), remaining_(new Remaining[threads]) {
  workers_.reserve(threads - 1);
  try {
    for (unsigned thread = 1; thread < threads; ++thread) {
      workers_.emplace_back([this, thread] { worker(thread); });
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
  jobs_.fetch_add(1, std::memory_order_release);
  jobs_.notify_all();
  for (std::thread& thread : workers_) thread.join();
}

void ThreadPool::start(unsigned pieces_per_thread, Entry entry, const void* context) {
  entry_ = entry;
  context_ = context;
  pieces_per_thread_ = pieces_per_thread;
  unfinished_.store(thread_count_ * pieces_per_thread, std::memory_order_relaxed);
  for (unsigned thread = 0; thread < thread_count_; ++thread) {
    // From here on a worker that is late from the job before may take pieces of this one, and may well.
    remaining_[thread].pieces.store(static_cast<std::int32_t>(pieces_per_thread), std::memory_order_release);
  }
  if (!workers_.empty()) {
    jobs_.fetch_add(1, std::memory_order_release);
    jobs_.notify_all();
  }
  work(0);
  std::uint32_t left = unfinished_.load(std::memory_order_acquire);
  while (left != 0) left = wait_while(unfinished_, left);
}

void ThreadPool::work(unsigned thread) {
  for (unsigned i = 0; i < thread_count_; ++i) {
    const unsigned owner = (thread + i) % thread_count_;
    std::atomic<std::int32_t>& remaining = remaining_[owner].pieces;
    while (remaining.load(std::memory_order_relaxed) > 0) {
      const std::int32_t left = remaining.fetch_sub(1, std::memory_order_acquire);
      if (left <= 0) break;
      // This piece is not done, so the job stays what it is until we say so.
      const unsigned count = thread_count_ * pieces_per_thread_;
      const unsigned index = (owner + 1) * pieces_per_thread_ - static_cast<unsigned>(left);
      entry_(context_, Piece{index, count, thread});
      if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
    }
  }
}

void ThreadPool::worker(unsigned thread) {
  for (std::uint32_t seen = 0;;) {
    seen = wait_while(jobs_, seen);
    if (stopping_.load(std::memory_order_relaxed)) return;
    work(thread);
  }
}

}  // namespace plumbline::cpu
