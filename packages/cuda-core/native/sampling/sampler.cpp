#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "error.h"
#include "sampling/gumbel_noise.h"
#include "sampling/scan.h"

namespace plumbline {
namespace {

constexpr float kGone = -std::numeric_limits<float>::infinity();

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

/// Steps 7 and 8: the best score so far. The likeliest token is always kept, so what cannot beat it need not be looked at.
class Sampler::Draw {
 public:
  Draw(const Sampler& sampler, std::uint32_t likeliest, std::uint32_t answer_index)
      : sampler_(sampler),
        answer_index_(answer_index),
        winner_(likeliest),
        best_(gumbel_noise(noise_word(sampler.parameters_.seed, likeliest, answer_index))),
        least_scaled_(std::log(sampler.parameters_.min_p) - 1e-9) {}

  std::uint32_t winner() const { return winner_; }
  std::uint32_t answer_index() const { return answer_index_; }

  void consider(const Candidate& candidate) {
    if (!may_win(sampler_.scaled(candidate.penalised))) return;
    consider(candidate, noise_word(sampler_.parameters_.seed, candidate.token, answer_index_));
  }

  void consider(const Candidate& candidate, std::uint32_t word) {
    const double scaled = sampler_.scaled(candidate.penalised);
    if (scaled + noise_bound(word) < best_ || std::exp(scaled) < sampler_.parameters_.min_p) return;
    const double score = scaled + gumbel_noise(word);
    if (score < best_ || (score == best_ && candidate.token > winner_)) return;
    best_ = score;
    winner_ = candidate.token;
  }

  /// Whatever the noise.
  bool may_win(double scaled) const { return scaled + kMaxNoise >= best_ && scaled >= least_scaled_; }

  /// The least word of a token with which it may win: the noise is at most ln(2^33 / v), v = 2^32 - word (noise_bound says
  /// why), so v must not be above 2^33 e^(scaled - best).
  std::uint32_t least_word(double scaled) const {
    const double v = std::min(0x1p32, 0x1p33 * std::exp(scaled - best_) * (1 + 1e-9));
    return static_cast<std::uint32_t>(std::min(0x1p32 - 1, std::ceil(0x1p32 - v)));
  }

 private:
  const Sampler& sampler_;
  const std::uint32_t answer_index_;
  std::uint32_t winner_;
  double best_;
  const double least_scaled_;
};

/// Step 1, and the maxima that the other steps find their way by.
void Sampler::survey(std::span<const float> logits, std::span<const std::uint32_t> history) {
  maxima_.resize(scan_blocks(logits.size()));
  if (!block_maxima(logits, maxima_.data())) {
    const auto nonfinite = std::ranges::find_if(logits, [](float logit) { return !std::isfinite(logit); });
    const auto token = static_cast<std::uint64_t>(nonfinite - logits.begin());
    throw Error(ErrorCode::internal,
                "logit " + std::to_string(token) + " is " + std::to_string(*nonfinite) +
                    ": only finite logits can be sampled from",
                {{"token", token}});
  }
  logits_ = logits;
  penalised_.clear();
  const double penalty = parameters_.repetition_penalty;
  if (penalty == 1) return;
  unpenalised_.assign(logits.begin(), logits.end());
  logits_ = unpenalised_;
  for (const std::uint32_t token : history) {
    if (token >= logits.size() || unpenalised_[token] == kGone) continue;
    const double logit = logits[token];
    penalised_.push_back({logit > 0 ? logit / penalty : logit * penalty, token});
    unpenalised_[token] = kGone;
  }
  block_maxima(logits_, maxima_.data());
}

/// The first of the ranking.
Sampler::Candidate Sampler::likeliest() const {
  const auto block = std::ranges::max_element(maxima_);
  const auto first = logits_.begin() + (block - maxima_.begin()) * static_cast<std::ptrdiff_t>(kScanBlock);
  const auto at = std::find(first, logits_.end(), *block);
  Candidate best{*at, static_cast<std::uint32_t>(at - logits_.begin())};
  for (const Candidate& candidate : penalised_) {
    if (ranks_before(candidate, best)) best = candidate;
  }
  return best;
}

/// Step 3: makes the first `count` of the ranking, or all if there are fewer, the candidates, in order. A heap of the best so
/// far has its worst on top, which few blocks hold a better one than.
void Sampler::rank(std::size_t count) {
  candidates_.clear();
  const auto take = [&](const Candidate& candidate) {
    if (candidates_.size() == count) {
      if (!ranks_before(candidate, candidates_.front())) return;
      std::pop_heap(candidates_.begin(), candidates_.end(), ranks_before);
      candidates_.pop_back();
    }
    candidates_.push_back(candidate);
    std::push_heap(candidates_.begin(), candidates_.end(), ranks_before);
  };
  for (const Candidate& candidate : penalised_) take(candidate);
  for (std::size_t block = 0; block < maxima_.size(); ++block) {
    if (candidates_.size() == count && maxima_[block] < candidates_.front().penalised) continue;
    const std::size_t end = std::min(logits_.size(), (block + 1) * kScanBlock);
    for (std::size_t token = block * kScanBlock; token < end; ++token) {
      if (logits_[token] != kGone) take({logits_[token], static_cast<std::uint32_t>(token)});
    }
  }
  std::sort_heap(candidates_.begin(), candidates_.end(), ranks_before);
}

/// Step 6. Ranks only as many as the nucleus needs: four times as many whenever those ranked so far do not suffice.
void Sampler::keep_top_p() {
  const bool all = parameters_.top_k == 0 || parameters_.top_k >= logits_.size();
  const auto weight = [this](const Candidate& candidate) { return std::exp(scaled(candidate.penalised)); };
  double total = all ? sum_of_exponentials(logits_, largest_, parameters_.temperature) : 0;
  for (const Candidate& candidate : all ? penalised_ : candidates_) total += weight(candidate);
  const double threshold = parameters_.top_p * total;
  if (all) rank(64);
  double sum = 0;
  for (std::size_t kept = 0;; ++kept) {
    if (kept == candidates_.size()) {
      if (!all || kept == logits_.size()) return;
      rank(4 * kept);
    }
    sum += weight(candidates_[kept]);
    if (sum >= threshold) return candidates_.resize(kept + 1);
  }
}

/// Without a ranking: whole blocks, most of which no token can win.
void Sampler::draw_from_all(Draw& draw) const {
  for (const Candidate& candidate : penalised_) draw.consider(candidate);
  for (std::size_t block = 0; block < maxima_.size(); ++block) {
    const double most = scaled(maxima_[block]);
    if (!draw.may_win(most)) continue;
    std::uint32_t words[kScanBlock];
    const auto first = static_cast<std::uint32_t>(block * kScanBlock);
    const std::uint32_t least_word = draw.least_word(most);
    if (!noise_words(parameters_.seed, first, draw.answer_index(), least_word, words)) continue;
    for (std::uint32_t i = 0; i < kScanBlock && first + i < logits_.size(); ++i) {
      if (words[i] >= least_word && logits_[first + i] != kGone) draw.consider({logits_[first + i], first + i}, words[i]);
    }
  }
}

std::uint32_t Sampler::sample(std::span<const float> logits, std::span<const std::uint32_t> history,
                              std::uint32_t answer_index) {
  survey(logits, history);
  const Candidate first = likeliest();
  if (parameters_.temperature == 0) return first.token;  // step 2

  largest_ = first.penalised;
  Draw draw(*this, first.token, answer_index);
  const bool top_k = parameters_.top_k > 0 && parameters_.top_k < logits.size();
  if (top_k) rank(parameters_.top_k);
  if (parameters_.top_p < 1) keep_top_p();
  if (top_k || parameters_.top_p < 1) {
    for (const Candidate& candidate : candidates_) draw.consider(candidate);
  } else {
    draw_from_all(draw);
  }
  return draw.winner();
}

}  // namespace plumbline
