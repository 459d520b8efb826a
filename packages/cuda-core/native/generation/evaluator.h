#pragma once

#include <cstdint>
#include <span>

#include "model/session.h"

namespace plumbline {

/// What the generator asks of a model: one sequence that grows by the tokens given. Tests put faults behind it.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  virtual std::uint32_t vocab_size() const = 0;
  virtual std::uint32_t context_length() const = 0;
  /// Forgets the sequence.
  virtual void reset() = 0;
  /// As Session::forward: no logits from a pass that was cancelled.
  virtual std::span<const float> forward(std::span<const std::uint32_t> tokens, const ForwardOptions& options) = 0;
};

class SessionEvaluator final : public Evaluator {
 public:
  SessionEvaluator(Session& session, std::uint32_t vocab_size) : session_(session), vocab_size_(vocab_size) {}

  std::uint32_t vocab_size() const override { return vocab_size_; }
  std::uint32_t context_length() const override { return session_.context_length(); }
  void reset() override { session_.truncate(0); }
  std::span<const float> forward(std::span<const std::uint32_t> tokens, const ForwardOptions& options) override {
    return session_.forward(tokens, options);
  }

 private:
  Session& session_;
  std::uint32_t vocab_size_;
};

}  // namespace plumbline
