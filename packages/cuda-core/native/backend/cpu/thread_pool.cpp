#include "backend/cpu/thread_pool.h"

#include <algorithm>
#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace plumbline::cpu {
namespace {

using Clock = std::chrono::steady_clock;

/// Longer than what lies between two tokens (sampling included), far shorter than what anyone would notice as load.
constexpr std::chrono::microseconds kSpinTime{200};

/// A system call each, of less than a microsecond where nobody waits for the core.
constexpr std::chrono::microseconds kBetweenYields{200};
/// A core that others want for long is not given away again at once: the scheduler takes a yield for the end of a time
/// slice, and whoever yields more often than others gets a smaller share than they do.
constexpr int kYieldShare = 8;

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Returns the value once it is no longer `old`: spins first, then sleeps. Asks for the time only when it has been
/// spinning for longer than a hand-over takes.
std::uint32_t wait_while(const std::atomic<std::uint32_t>& value, std::uint32_t old, CoreSharing& sharing) {
  Clock::time_point until = Clock::time_point::max();
  do {
    for (int i = 0; i < 64; ++i) {
      const std::uint32_t now = value.load(std::memory_order_acquire);
      if (now != old) return now;
      relax();
    }
    if (until == Clock::time_point::max()) until = Clock::now() + kSpinTime;
    sharing.at_seam();
  } while (Clock::now() < until);
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

}  // namespace

void CoreSharing::at_seam() noexcept {
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  std::this_thread::yield();
  const Clock::time_point back = Clock::now();
  next_ = back + std::max<Clock::duration>(kBetweenYields, kYieldShare * (back - now));
}

ThreadPool::ThreadPool(unsigned threads) : thread_count_(threads), claims_(new Claim[threads]) {
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
  job_.stopping.store(true, std::memory_order_relaxed);
  job_.number.fetch_add(1);
  job_.number.notify_all();
  for (std::thread& thread : workers_) thread.join();
}

void ThreadPool::start(unsigned pieces_per_thread, Entry entry, const void* context) {
  if (workers_.empty()) {
    for (unsigned index = 0; index < pieces_per_thread; ++index) entry(context, Piece{index, pieces_per_thread, 0});
    return;
  }
  caller_sharing_.at_seam();
  const std::uint32_t done_before = done_.load(std::memory_order_relaxed);
  job_.pieces_per_thread.store(pieces_per_thread, std::memory_order_relaxed);
  job_.entry.store(entry, std::memory_order_relaxed);
  job_.context.store(context, std::memory_order_relaxed);
  const std::uint32_t job = job_.number.fetch_add(1) + 1;
  job_.number.notify_all();
  const std::uint32_t done_after = done_before + thread_count_ * pieces_per_thread - work(0, job);
  for (std::uint32_t done = done_before; done != done_after;) {
    done = done_.load(std::memory_order_acquire);
    if (done != done_after) wait_while(done_, done, caller_sharing_);
  }
}

/// Takes one of the owner's pieces of the job, if there is one left.
bool ThreadPool::claim(unsigned owner, std::uint32_t job, unsigned pieces, unsigned& piece) {
  std::atomic<std::uint64_t>& state = claims_[owner].state;
  std::uint64_t seen = state.load(std::memory_order_relaxed);
  for (;;) {
    const auto seen_job = static_cast<std::uint32_t>(seen >> 32);
    const bool untouched = static_cast<std::int32_t>(job - seen_job) > 0;
    const std::uint32_t left = untouched ? pieces : static_cast<std::uint32_t>(seen);
    if ((!untouched && seen_job != job) || left == 0) return false;
    if (state.compare_exchange_weak(seen, std::uint64_t{job} << 32 | (left - 1), std::memory_order_relaxed)) {
      piece = pieces - left;
      return true;
    }
  }
}

/// Returns how many pieces this thread has done.
unsigned ThreadPool::work(unsigned thread, std::uint32_t job) {
  const unsigned pieces = job_.pieces_per_thread.load(std::memory_order_relaxed);
  const Entry entry = job_.entry.load(std::memory_order_relaxed);
  const void* const context = job_.context.load(std::memory_order_relaxed);
  unsigned done = 0;
  for (unsigned i = 0; i < thread_count_; ++i) {
    const unsigned owner = (thread + i) % thread_count_;
    for (unsigned piece = 0; claim(owner, job, pieces, piece); ++done) {
      entry(context, Piece{owner * pieces + piece, thread_count_ * pieces, thread});
    }
  }
  return done;
}

void ThreadPool::worker(unsigned thread) {
  CoreSharing sharing;
  for (std::uint32_t seen = 0;;) {
    seen = wait_while(job_.number, seen, sharing);
    if (job_.stopping.load(std::memory_order_relaxed)) return;
    const unsigned done = work(thread, seen);
    if (done == 0) continue;
    done_.fetch_add(done, std::memory_order_acq_rel);
    done_.notify_all();
    sharing.at_seam();
  }
}

}  // namespace plumbline::cpu
