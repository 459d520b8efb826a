#include "generation/generator.h"

#include <algorithm>
#include <string>

#include "generation/generation.h"

namespace plumbline {
namespace {

void require_valid(const GenerationRequest& request, const Evaluator& evaluator) {
  const auto invalid = [](const std::string& field, const std::string& expected) {
    throw Error(ErrorCode::invalid_request, field + " must be " + expected, {{"field", field}, {"expected", expected}});
  };
  if (request.prompt.empty()) invalid("prompt", "at least one token");
  if (request.prefill_chunk == 0) invalid("prefill_chunk", "at least 1");
  const std::uint32_t vocab_size = evaluator.vocab_size();
  const auto outside = std::ranges::find_if(request.prompt, [&](std::uint32_t token) { return token >= vocab_size; });
  if (outside != request.prompt.end()) {
    invalid("prompt[" + std::to_string(outside - request.prompt.begin()) + "]",
            "a token id below the vocabulary size, " + std::to_string(vocab_size));
  }
  Sampler{request.sampling};  // throws what is wrong with the parameters
  // The answer's last token is sampled but never evaluated.
  const std::uint64_t positions = request.prompt.size() + std::max(request.max_tokens, 1u) - 1;
  if (positions > evaluator.context_length()) {
    throw Error(ErrorCode::context_overflow,
                "prompt and answer need " + std::to_string(positions) + " positions, the context has " +
                    std::to_string(evaluator.context_length()),
                {{"positions", positions}, {"context_length", std::uint64_t{evaluator.context_length()}}});
  }
}

}  // namespace

Generator::Generator(Evaluator& evaluator) : evaluator_(evaluator), thread_([this] { run(); }) {}

Generator::~Generator() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (job_) job_->abandon();
  }
  wake_.notify_one();
  thread_.join();
}

std::shared_ptr<Job> Generator::start(GenerationRequest request, std::function<void()> notify) {
  require_valid(request, evaluator_);
  std::shared_ptr<Job> job;
  {
    const std::lock_guard lock(mutex_);
    if (job_) throw Error(ErrorCode::engine_busy, "a generation is already running; one runs at a time");
    job_ = job = std::make_shared<Job>(std::move(request), std::move(notify));
  }
  wake_.notify_one();
  return job;
}

bool Generator::busy() const {
  const std::lock_guard lock(mutex_);
  return job_ != nullptr;
}

/// nullptr when the thread is to end. A job that was taken on is always run, if only to see that it is cancelled.
std::shared_ptr<Job> Generator::next_job() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return job_ != nullptr || stopping_; });
  return job_;
}

void Generator::run() {
  while (const std::shared_ptr<Job> job = next_job()) {
    job->result_ = run_job(*job, evaluator_, progress_);
    {
      // Before the result can be seen: who sees it may start the next job.
      const std::lock_guard lock(mutex_);
      job_.reset();
    }
    job->ended_.store(true, std::memory_order_release);
    job->notify_();
  }
}

}  // namespace plumbline
