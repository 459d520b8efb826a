#include "generation/generation.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "sampling/log_probabilities.h"
#include "sampling/sampler.h"

namespace plumbline {
namespace {

class Stopwatch {
 public:
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started_).count();
  }

 private:
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace

std::string_view name_of(StopReason reason) {
  switch (reason) {
    case StopReason::eos:
      return "EOS";
    case StopReason::max_tokens:
      return "MAX_TOKENS";
    case StopReason::cancelled:
      return "CANCELLED";
    case StopReason::error:
      return "ERROR";
  }
  return "";
}

class Generation {
 public:
  Generation(Job& job, Evaluator& evaluator, std::atomic<std::uint64_t>& progress)
      : job_(job), request_(job.request_), evaluator_(evaluator), progress_(progress) {}

  GenerationResult run() noexcept {
    try {
      evaluate();
    } catch (...) {
      result_.stop_reason = StopReason::error;
      result_.error = current_exception_as_error();
    }
    if (trace_) result_.trace = TraceSummary{trace_->records(), trace_->stopped()};
    return std::move(result_);
  }

 private:
  void evaluate() {
    if (request_.trace) trace_ = std::make_unique<TraceWriter>(*request_.trace);
    history_.reserve(request_.prompt.size() + request_.max_tokens);
    history_ = request_.prompt;
    evaluator_.reset();
    Sampler sampler(request_.sampling);

    const Stopwatch prefill_time;
    std::span<const float> logits = prefill();
    result_.prefill_milliseconds = prefill_time.milliseconds();

    const Stopwatch decode_time;
    if (!logits.empty()) decode(sampler, logits);
    result_.decode_milliseconds = decode_time.milliseconds();
    // A trace without a close counts as truncated. That of a job that failed (above, by what it threw) or was abandoned is.
    if (trace_ && !job_.abandoned_.load(std::memory_order_relaxed)) {
      trace_->close(std::span(history_).subspan(request_.prompt.size()), name_of(result_.stop_reason));
    }
  }

  /// The logits behind the prompt; empty if the job was cancelled.
  std::span<const float> prefill() {
    std::span<const float> logits;
    std::span<const std::uint32_t> rest = request_.prompt;
    while (!rest.empty()) {
      if (seen_cancelled()) return {};
      const auto chunk = rest.first(std::min<std::size_t>(request_.prefill_chunk, rest.size()));
      rest = rest.subspan(chunk.size());
      const LogitRows needed = rest.empty() ? LogitRows::last : LogitRows::none;
      logits = forward(chunk, request_.trace && request_.all_positions_logits ? LogitRows::all : needed);
    }
    if (seen_cancelled()) return {};
    return logits.last(evaluator_.vocab_size());
  }

  void decode(Sampler& sampler, std::span<const float> logits) {
    for (std::uint32_t index = 0; index < request_.max_tokens; ++index) {
      if (seen_cancelled()) return;
      const std::uint32_t token = sampler.sample(logits, history_, index);
      if (!request_.ignore_eos && std::ranges::find(request_.eos_ids, token) != request_.eos_ids.end()) {
        result_.stop_reason = StopReason::eos;
        return;
      }
      emit(index, token, logits);
      // The last token's logits would serve nobody.
      if (index + 1 < request_.max_tokens && !seen_cancelled()) logits = forward({&history_.back(), 1}, LogitRows::last);
    }
  }

  void emit(std::uint32_t index, std::uint32_t token, std::span<const float> logits) {
    TokenRecord record{index, token, {}};
    if (request_.top_log_probabilities > 0) {
      record.log_probabilities = log_probabilities(logits, token, request_.top_log_probabilities);
    }
    history_.push_back(token);
    job_.tokens_.push(std::move(record));
    ++result_.tokens;
    job_.notify_();
  }

  std::span<const float> forward(std::span<const std::uint32_t> tokens, LogitRows logits) {
    return evaluator_.forward(
        tokens,
        {.logits = logits, .observer = trace_.get(), .progress = &progress_, .cancelled = &job_.cancelled_});
  }

  bool seen_cancelled() {
    if (!job_.cancelled_.load(std::memory_order_acquire)) return false;
    result_.stop_reason = StopReason::cancelled;
    return true;
  }

  Job& job_;
  const GenerationRequest& request_;
  Evaluator& evaluator_;
  std::atomic<std::uint64_t>& progress_;
  std::unique_ptr<TraceWriter> trace_;
  /// Prompt and answer so far.
  std::vector<std::uint32_t> history_;
  GenerationResult result_;
};

GenerationResult run_job(Job& job, Evaluator& evaluator, std::atomic<std::uint64_t>& progress) noexcept {
  return Generation(job, evaluator, progress).run();
}

}  // namespace plumbline
