#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "generation/evaluator.h"
#include "generation/job.h"

namespace plumbline {

/// The one thread that runs the model, and the one job that it may run at a time. All calls come from one other thread.
class Generator {
 public:
  /// `evaluator` must outlive it.
  explicit Generator(Evaluator& evaluator);
  /// Abandons what runs and waits for the thread: at most for one layer.
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  /// Throws ENGINE_BUSY while a job runs, CONTEXT_OVERFLOW, INVALID_REQUEST (no prompt, a token id outside the
  /// vocabulary, a parameter out of range).
  std::shared_ptr<Job> start(GenerationRequest request, std::function<void()> notify);

  /// Layers computed so far: moves as long as something is computed. From any thread.
  std::uint64_t progress() const noexcept { return progress_.load(std::memory_order_relaxed); }
  bool busy() const;

 private:
  void run();
  std::shared_ptr<Job> next_job();

  Evaluator& evaluator_;
  std::atomic<std::uint64_t> progress_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<Job> job_;
  bool stopping_ = false;
  // The last member: the thread sees the others whole.
  std::thread thread_;
};

}  // namespace plumbline
