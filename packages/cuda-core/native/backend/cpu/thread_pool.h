#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace plumbline::cpu {

/// Threads that wait for work by spinning for a short while, since the next op of a forward pass comes within
/// microseconds, and then sleep: an idle pool costs nothing.
class ThreadPool {
 public:
  /// `threads` includes the one that calls `run`, which works too.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  unsigned threads() const { return static_cast<unsigned>(workers_.size()) + 1; }

  /// Calls work(index) for every index below threads(), each on its own thread, and returns when all are done. `work`
  /// must not throw. One caller at a time.
  template <class Work>
  void run(const Work& work) {
    start([](const void* context, unsigned index) noexcept { (*static_cast<const Work*>(context))(index); }, &work);
  }

 private:
  using Entry = void (*)(const void* context, unsigned index) noexcept;

  void start(Entry entry, const void* context);
  void worker(unsigned index);
  void stop();

  std::vector<std::thread> workers_;
  Entry entry_ = nullptr;
  const void* context_ = nullptr;
  // Apart, so that those who wait for the one don't slow down those who write the other.
  alignas(64) std::atomic<std::uint32_t> started_{0};  ///< counts calls of `run`
  alignas(64) std::atomic<std::uint32_t> working_{0};  ///< workers that have not finished the current one
  std::atomic<bool> stopping_{false};
};

}  // namespace plumbline::cpu
