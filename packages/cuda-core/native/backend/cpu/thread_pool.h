#pragma once

#include <atomic>
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

  /// How many of a thread's pieces nobody has taken yet; below zero when they were asked for once too often.
  struct alignas(64) Remaining {
    std::atomic<std::int32_t> pieces{0};
  };

  void start(unsigned pieces_per_thread, Entry entry, const void* context);
  void work(unsigned thread);
  void worker(unsigned thread);
  void stop();

  unsigned thread_count_;
  std::unique_ptr<Remaining[]> remaining_;
  // The job. Written before the first piece is given out, and not again before the last one is done.
  Entry entry_ = nullptr;
  const void* context_ = nullptr;
  unsigned pieces_per_thread_ = 0;
  alignas(64) std::atomic<std::uint32_t> jobs_{0};        ///< counts the jobs, for those who wait for the next one
  alignas(64) std::atomic<std::uint32_t> unfinished_{0};  ///< pieces of the current job
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> workers_;
};

}  // namespace plumbline::cpu
