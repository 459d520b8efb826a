#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "error.h"
#include "sampling/gumbel_noise.h"

namespace plumbline {
namespace {

/// A token this far below the likeliest, in units of scaled logits, can neither win (noise lies between -3.2 and 22.9) nor
/// be felt in a sum of weights: 2^18 tokens of e^-40 add up to 1.2e-12, and the specification leaves 1e-9 open.
constexpr double kNegligible = -40;

void require(bool holds, const char* parameter, const char* expected) {
  if (holds) return;
  throw Error(ErrorCode::invalid_request, std::string("sampling: ") + parameter + " must be " + expected,
              {{"field", std::string(parameter)}, {"expected", std::string(expected)}});
}

}  // namespace

Sampler::Sampler(const SamplingParameters& parameters) : parameters_(parameters) {
  require(std::isfinite(parameters.temperature) && parameters.temperature >= 0, "temperature", "at least 0");
  require(parameters.top_p >= 0 && parameters.top_p <= 1, "top_p", "from 0 to 1");
  require(parameters.min_p >= 0 && parameters.min_p <= 1, "min_p", "from 0 to 1");
  require(std::isfinite(parameters.repetition_penalty) && parameters.repetition_penalty > 0, "repetition_penalty",
          "above 0");
}

// Step 1.
void Sampler::penalise(std::span<const float> logits, std::span<const std::uint32_t> history) {
  const auto nonfinite = std::ranges::find_if(logits, [](float logit) { return !std::isfinite(logit); });
  if (nonfinite != logits.end()) {
    const auto token = static_cast<std::uint64_t>(nonfinite - logits.begin());
    throw Error(ErrorCode::internal,
                "logit " + std::to_string(token) + " is " + std::to_string(*nonfinite) +
                    ": only finite logits can be sampled from",
                {{"token", token}});
  }
  penalised_.assign(logits.begin(), logits.end());
  const double penalty = parameters_.repetition_penalty;
  if (penalty == 1) return;
  for (const std::uint32_t token : history) {
    if (token >= logits.size()) continue;
    const double logit = logits[token];
    penalised_[token] = logit > 0 ? logit / penalty : logit * penalty;
  }
}

// Step 4.
void Sampler::keep_top_k() {
  const std::size_t count = parameters_.top_k;
  if (count == 0 || count >= candidates_.size()) return;
  std::nth_element(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(count), candidates_.end(),
                   ranks_before);
  candidates_.resize(count);
}

// Step 6. Ranks only as many as the nucleus needs: four times as many whenever those ranked so far do not suffice.
void Sampler::keep_top_p(double largest) {
  if (parameters_.top_p >= 1) return;
  double total = 0;
  for (const Candidate& candidate : candidates_) total += std::exp(scaled(candidate, largest));
  const double threshold = parameters_.top_p * total;
  double sum = 0;
  std::size_t ranked = 0;
  for (std::size_t kept = 0; kept < candidates_.size(); ++kept) {
    if (kept == ranked) {
      const std::size_t more = std::min(candidates_.size(), std::max<std::size_t>(64, 4 * ranked));
      const auto begin = candidates_.begin();
      std::partial_sort(begin + static_cast<std::ptrdiff_t>(ranked), begin + static_cast<std::ptrdiff_t>(more),
                        candidates_.end(), ranks_before);
      ranked = more;
    }
    sum += std::exp(scaled(candidates_[kept], largest));
    if (sum >= threshold) {
      candidates_.resize(kept + 1);
      return;
    }
  }
}

// Steps 7 and 8.
std::uint32_t Sampler::draw(const Candidate& likeliest, std::uint32_t answer_index) const {
  const double largest = likeliest.penalised;
  // The likeliest token is always kept, so what cannot beat it need not be looked at.
  std::uint32_t winner = likeliest.token;
  double best = gumbel_noise(noise_word(parameters_.seed, winner, answer_index));
  for (const Candidate& candidate : candidates_) {
    const double base = scaled(candidate, largest);
    if (base + kMaxNoise < best) continue;
    const std::uint32_t word = noise_word(parameters_.seed, candidate.token, answer_index);
    if (base + noise_bound(word) < best) continue;
    if (std::exp(base) < parameters_.min_p) continue;
    const double score = base + gumbel_noise(word);
    if (score > best || (score == best && candidate.token < winner)) {
      best = score;
      winner = candidate.token;
    }
  }
  return winner;
}

std::uint32_t Sampler::sample(std::span<const float> logits, std::span<const std::uint32_t> history,
                              std::uint32_t answer_index) {
  penalise(logits, history);
  const auto first_maximum = std::ranges::max_element(penalised_);
  const auto token_of = [this](auto at) { return static_cast<std::uint32_t>(at - penalised_.begin()); };
  if (parameters_.temperature == 0) return token_of(first_maximum);  // step 2

  const Candidate likeliest{*first_maximum, token_of(first_maximum)};
  candidates_.clear();
  for (std::uint32_t token = 0; token < penalised_.size(); ++token) {
    const Candidate candidate{penalised_[token], token};
    if (scaled(candidate, likeliest.penalised) >= kNegligible) candidates_.push_back(candidate);
  }
  keep_top_k();
  keep_top_p(likeliest.penalised);
  return draw(likeliest, answer_index);
}

}  // namespace plumbline
