#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace plumbline {

/// Ranges are those of packages/protocol/src/sampling.ts.
struct SamplingParameters {
  double temperature = 1;
  std::uint32_t top_k = 0;  ///< 0: off
  double top_p = 1;         ///< 1: off
  double min_p = 0;         ///< 0: off
  double repetition_penalty = 1;
  std::uint64_t seed = 0;
};

/// The sampler that packages/protocol/src/sampling.ts specifies, step by step. It spares itself what cannot change the
/// answer: tokens too unlikely to win or to count, the order of those that nothing ranks, and most logarithms. Keeps its
/// buffers from one token to the next. One thread at a time.
class Sampler {
 public:
  /// Throws INVALID_REQUEST naming the parameter that is out of range.
  explicit Sampler(const SamplingParameters& parameters);

  /// `history`: the ids of prompt and answer so far. Throws INTERNAL naming a logit that is not finite.
  std::uint32_t sample(std::span<const float> logits, std::span<const std::uint32_t> history,
                       std::uint32_t answer_index);

 private:
  struct Candidate {
    double penalised;
    std::uint32_t token;
  };
  static bool ranks_before(const Candidate& a, const Candidate& b) noexcept {
    return a.penalised > b.penalised || (a.penalised == b.penalised && a.token < b.token);
  }
  class Draw;

  void survey(std::span<const float> logits, std::span<const std::uint32_t> history);
  Candidate likeliest() const;
  double scaled(double penalised) const noexcept { return (penalised - largest_) / parameters_.temperature; }
  void rank(std::size_t count);
  void keep_top_p();
  void draw_from_all(Draw& draw) const;

  SamplingParameters parameters_;
  /// Step 1: `logits_` without the tokens of the history where there is a penalty (-infinity instead), and those.
  std::span<const float> logits_;
  std::vector<Candidate> penalised_;
  std::vector<float> unpenalised_;
  std::vector<float> maxima_;  ///< of each kScanBlock of logits_
  double largest_ = 0;         ///< of all, after step 1
  std::vector<Candidate> candidates_;
};

}  // namespace plumbline
