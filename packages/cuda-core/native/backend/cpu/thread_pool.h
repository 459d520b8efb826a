#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace plumbline::cpu {

/// What one call of a job's function is for.
struct Piece {
  unsigned index;
  unsigned count;
  unsigned thread;  ///< which of the pool's threads runs it
};

/// Leaves the core to others now and then. What wakes up where all cores compute otherwise waits for the scheduler's tick
/// (4 ms at 250 Hz) if it is not of a higher rank, and what has to wake up here are the threads that carry a token to its
/// reader. To be asked at a seam, where this thread holds nobody up: a compute thread that is interrupted in the middle
/// of a piece keeps all others waiting.
class CoreSharing {
 public:
  void at_seam() noexcept;

 private:
  std::chrono::steady_clock::time_point next_ = {};
};

/// Runs jobs cut into pieces. Each thread has pieces of its own, the same ones in every job of the same size, so that
/// they find in their cache what they had there before. A thread that is done takes what others have not begun, so that
/// one that the system has not scheduled holds nobody up.
///
/// Threads wait for work by spinning for a short while, since the next op of a forward pass comes within microseconds,
/// and then sleep: an idle pool costs nothing.
class ThreadPool {
 public:
  /// `threads` includes the one that calls `run`, which works too.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  unsigned threads() const { return thread_count_; }

  /// Calls work(piece) for each of threads() * pieces_per_thread pieces and returns when all are done. `work` must not
  /// throw. One caller at a time.
  template <class Work>
  void run(unsigned pieces_per_thread, const Work& work) {
    start(pieces_per_thread,
          [](const void* context, Piece piece) noexcept { (*static_cast<const Work*>(context))(piece); }, &work);
  }

 private:
  using Entry = void (*)(const void* context, Piece piece) noexcept;

  /// A job number in the upper half, and in the lower how many of a thread's pieces of that job nobody has taken. What
  /// belongs to an earlier job is as good as untouched; to a later one, nothing: so nobody has to reset it between jobs,
  /// and a thread that comes late to a job finds nothing left of it, whatever has begun since.
  struct alignas(64) Claim {
    std::atomic<std::uint64_t> state{0};
  };

  void start(unsigned pieces_per_thread, Entry entry, const void* context);
  unsigned work(unsigned thread, std::uint32_t job);
  bool claim(unsigned owner, std::uint32_t job, unsigned pieces, unsigned& piece);
  void worker(unsigned thread);
  void stop();

  unsigned thread_count_;
  std::unique_ptr<Claim[]> claims_;
  /// Of whichever thread calls `run`.
  CoreSharing caller_sharing_;
  /// The job: what a worker needs to know of it lies in the cache line that it waits for. Atomic, because a worker that
  /// comes late may read while the next job is written; it gets no piece then.
  struct alignas(64) Job {
    std::atomic<std::uint32_t> number{0};
    std::atomic<unsigned> pieces_per_thread{0};
    std::atomic<Entry> entry{nullptr};
    std::atomic<const void*> context{nullptr};
    std::atomic<bool> stopping{false};
  } job_;
  /// Pieces that the workers have done since the pool began. Wraps around.
  alignas(64) std::atomic<std::uint32_t> done_{0};
  std::vector<std::thread> workers_;
};

}  // namespace plumbline::cpu
