#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sampling/log_probabilities.h"

namespace plumbline {

/// One token of an answer.
struct TokenRecord {
  std::uint32_t index = 0;
  std::uint32_t token = 0;
  std::optional<LogProbabilities> log_probabilities;
};

/// Hands the tokens of one answer from the thread that makes them to the thread that takes them, without locks: one
/// producer, one consumer. It has room for the whole answer, so it never fills, the producer never waits, and nothing
/// ever wraps around: a record is written once and stays.
class TokenQueue {
 public:
  explicit TokenQueue(std::uint32_t capacity) : records_(capacity) {}

  /// By the producer, at most `capacity` times.
  void push(TokenRecord record) {
    const std::uint32_t index = published_.load(std::memory_order_relaxed);
    records_.at(index) = std::move(record);
    published_.store(index + 1, std::memory_order_release);
  }

  /// By the consumer: what has come since the last call. Valid as long as the queue.
  std::span<const TokenRecord> take() {
    const std::uint32_t published = published_.load(std::memory_order_acquire);
    const auto fresh = std::span(records_).subspan(taken_, published - taken_);
    taken_ = published;
    return fresh;
  }

 private:
  std::vector<TokenRecord> records_;
  std::atomic<std::uint32_t> published_ = 0;
  std::uint32_t taken_ = 0;
};

}  // namespace plumbline
