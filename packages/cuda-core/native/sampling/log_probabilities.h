#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace plumbline {

struct TokenLogProbability {
  std::uint32_t token;
  double log_probability;
};

struct LogProbabilities {
  double chosen;
  /// Likeliest first, ties by id.
  std::vector<TokenLogProbability> top;
};

/// The natural logarithm of the model's own distribution, log-softmax in float64 of the raw logits: of the chosen token
/// and of the `top_count` likeliest.
LogProbabilities log_probabilities(std::span<const float> logits, std::uint32_t chosen, std::uint32_t top_count);

}  // namespace plumbline
