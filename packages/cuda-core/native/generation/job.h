#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"
#include "generation/token_queue.h"
#include "sampling/sampler.h"
#include "trace/trace_writer.h"

namespace plumbline {

/// Positions of a prompt evaluated at once, unless told.
inline constexpr std::uint32_t kDefaultPrefillChunk = 128;

struct GenerationRequest {
  std::vector<std::uint32_t> prompt = {};
  /// 0: the prompt is evaluated and nothing sampled.
  std::uint32_t max_tokens = 0;
  SamplingParameters sampling = {};
  std::vector<std::uint32_t> eos_ids = {};
  bool ignore_eos = false;
  /// How many of the likeliest tokens a record lists; 0: no log-probabilities at all.
  std::uint32_t top_log_probabilities = 0;
  /// Positions evaluated at once.
  std::uint32_t prefill_chunk = kDefaultPrefillChunk;
  std::optional<TraceOptions> trace = {};
  /// Logits at every position of the prompt, for the trace.
  bool all_positions_logits = false;
};

enum class StopReason { eos, max_tokens, cancelled, error };

/// As `end` events and manifests spell it.
std::string_view name_of(StopReason reason);

struct TraceSummary {
  std::uint64_t records = 0;
  /// Why it ended before the generation did.
  std::optional<std::string> stopped;
};

struct GenerationResult {
  std::uint32_t tokens = 0;
  StopReason stop_reason = StopReason::max_tokens;
  double prefill_milliseconds = 0;
  double decode_milliseconds = 0;
  /// With StopReason::error.
  std::optional<Error> error;
  std::optional<TraceSummary> trace;
};

/// One generation, shared by the thread that makes the tokens and the thread that takes them.
class Job {
 public:
  /// `notify` is called on the making thread whenever there is something to take: a token, or the result. It must not throw.
  Job(GenerationRequest request, std::function<void()> notify)
      : request_(std::move(request)), notify_(std::move(notify)), tokens_(request_.max_tokens) {}

  /// From any thread; seen between two layers.
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  /// Cancels because nobody is left to wait for the end: a trace stays without its close, visibly cut short.
  void abandon() noexcept {
    abandoned_.store(true, std::memory_order_relaxed);
    cancelled_.store(true, std::memory_order_release);
  }

  /// By the taking thread. Ask for the result first, then take the tokens: with a result, no token comes after.
  std::span<const TokenRecord> take_tokens() { return tokens_.take(); }
  /// nullptr until the job has ended.
  const GenerationResult* result() const noexcept {
    return ended_.load(std::memory_order_acquire) ? &result_ : nullptr;
  }

 private:
  friend class Generator;
  friend class Generation;

  const GenerationRequest request_;
  const std::function<void()> notify_;
  TokenQueue tokens_;
  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> abandoned_ = false;
  std::atomic<bool> ended_ = false;
  GenerationResult result_;
};

}  // namespace plumbline
