// The vectors of packages/protocol hold the sampler from vitest (src/sampler.test.ts); here is what needs many draws or
// a second way to the same answer.
#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "error.h"
#include "sampling/gumbel_noise.h"

namespace plumbline {
namespace {

/// The specification without any of the sampler's shortcuts.
std::uint32_t sample_plainly(const SamplingParameters& parameters, std::span<const float> logits,
                             std::span<const std::uint32_t> history, std::uint32_t answer_index) {
  std::vector<double> x(logits.begin(), logits.end());
  for (std::uint32_t token = 0; token < x.size(); ++token) {
    if (std::ranges::find(history, token) == history.end()) continue;
    x[token] = x[token] > 0 ? x[token] / parameters.repetition_penalty : x[token] * parameters.repetition_penalty;
  }
  std::vector<std::uint32_t> ranking(x.size());
  std::iota(ranking.begin(), ranking.end(), 0u);
  std::ranges::stable_sort(ranking, [&](std::uint32_t a, std::uint32_t b) { return x[a] > x[b]; });
  if (parameters.temperature == 0) return ranking[0];
  if (parameters.top_k > 0) ranking.resize(std::min<std::size_t>(ranking.size(), parameters.top_k));
  const auto scaled = [&](std::uint32_t token) { return (x[token] - x[ranking[0]]) / parameters.temperature; };
  if (parameters.top_p < 1) {
    double total = 0;
    for (const std::uint32_t token : ranking) total += std::exp(scaled(token));
    double sum = 0;
    std::size_t kept = 0;
    while (kept < ranking.size() && (kept == 0 || sum < parameters.top_p * total)) sum += std::exp(scaled(ranking[kept++]));
    ranking.resize(kept);
  }
  std::uint32_t winner = 0;
  double best = -std::numeric_limits<double>::infinity();
  for (const std::uint32_t token : ranking) {
    if (std::exp(scaled(token)) < parameters.min_p) continue;
    const double score = scaled(token) + gumbel_noise(noise_word(parameters.seed, token, answer_index));
    if (score > best || (score == best && token < winner)) {
      best = score;
      winner = token;
    }
  }
  return winner;
}

TEST(Sampler, AnswersAsTheSpecificationWithoutShortcuts) {
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal;
  const auto pick = [&](auto... options) {
    const std::array all{static_cast<double>(options)...};
    return all[random() % all.size()];
  };
  std::map<std::uint32_t, int> answers;
  for (int round = 0; round < 3000; ++round) {
    std::vector<float> logits(1 + random() % (round % 10 == 0 ? 20'000 : 500));
    const auto spread = static_cast<float>(pick(0.01, 1, 8, 30));
    for (float& logit : logits) logit = spread * normal(random);
    std::vector<std::uint32_t> history(random() % 30);
    for (std::uint32_t& token : history) token = static_cast<std::uint32_t>(random() % (logits.size() + 2));
    const SamplingParameters parameters{.temperature = pick(0, 0.1, 0.7, 1, 2),
                                        .top_k = static_cast<std::uint32_t>(pick(0, 0, 1, 5, 40, 1000)),
                                        .top_p = pick(1, 1, 0, 0.3, 0.9, 0.999),
                                        .min_p = pick(0, 0, 0.05, 0.5, 1),
                                        .repetition_penalty = pick(1, 1, 0.8, 1.3),
                                        .seed = random()};
    const auto index = static_cast<std::uint32_t>(random() % 3000);
    const std::uint32_t token = Sampler(parameters).sample(logits, history, index);
    ASSERT_EQ(token, sample_plainly(parameters, logits, history, index)) << "round " << round;
    ++answers[token];
  }
  EXPECT_GT(answers.size(), 200u) << "the rounds are to draw many different tokens";
}

/// The chance that a chi-square value with so many degrees of freedom is larger (Wilson & Hilferty 1931; good to about
/// 1e-3 here).
double chi_square_p(double chi_square, double degrees) {
  const double variance = 2 / (9 * degrees);
  const double z = (std::cbrt(chi_square / degrees) - (1 - variance)) / std::sqrt(variance);
  return 0.5 * std::erfc(z / std::sqrt(2));
}

/// Draws `count` times and compares with the softmax over the tokens in `kept`.
double p_of_draws(const SamplingParameters& base, const std::vector<float>& logits,
                  const std::vector<std::uint32_t>& kept, int count, bool vary_seed) {
  std::vector<double> probability(logits.size());
  double sum = 0;
  for (const std::uint32_t token : kept) sum += probability[token] = std::exp(logits[token] / base.temperature);
  std::vector<int> seen(logits.size());
  Sampler fixed(base);
  for (int draw = 0; draw < count; ++draw) {
    if (vary_seed) {
      SamplingParameters parameters = base;
      parameters.seed = base.seed + static_cast<std::uint64_t>(draw) * 0x9E3779B97F4A7C15u;
      ++seen[Sampler(parameters).sample(logits, {}, 0)];
    } else {
      ++seen[fixed.sample(logits, {}, static_cast<std::uint32_t>(draw))];
    }
  }
  double chi_square = 0;
  for (std::size_t token = 0; token < logits.size(); ++token) {
    const double expected = probability[token] / sum * count;
    if (expected == 0) {
      EXPECT_EQ(seen[token], 0) << "token " << token << " is not to be drawn";
      continue;
    }
    EXPECT_GT(expected, 5) << "too rare for a chi-square test";
    chi_square += (seen[token] - expected) * (seen[token] - expected) / expected;
  }
  return chi_square_p(chi_square, static_cast<double>(kept.size()) - 1);
}

const std::vector<float> kLogits = {2.f, -1.f, 0.5f, 3.f, 2.9f, -3.f, 1.f, 0.f, 2.f, 1.5f, -0.5f, 2.5f};
std::vector<std::uint32_t> all_tokens() {
  std::vector<std::uint32_t> tokens(kLogits.size());
  std::iota(tokens.begin(), tokens.end(), 0u);
  return tokens;
}

// Seeds are fixed, so these tests cannot fail by chance. p near 0: another distribution; p near 1: too regular to be random.
void expect_plausible(double p) {
  std::printf("chi-square p = %.3f\n", p);
  EXPECT_GT(p, 0.001);
  EXPECT_LT(p, 0.999);
}

TEST(SamplerDistribution, IsTheSoftmaxOverManySeeds) {
  expect_plausible(p_of_draws({.temperature = 0.8, .seed = 1}, kLogits, all_tokens(), 200'000, true));
}

TEST(SamplerDistribution, IsTheSoftmaxOverTheAnswersIndices) {
  expect_plausible(p_of_draws({.temperature = 1.2, .seed = 99}, kLogits, all_tokens(), 200'000, false));
}

TEST(SamplerDistribution, IsTheSoftmaxOverWhatTopKLeaves) {
  expect_plausible(p_of_draws({.temperature = 1, .top_k = 4, .seed = 5}, kLogits, {3, 4, 11, 0}, 100'000, true));
}

TEST(SamplerDistribution, NotesAnotherTemperature) {
  // The test itself must be able to fail: draws at 0.85 are no draws at 0.8.
  std::vector<float> warmer = kLogits;
  for (float& logit : warmer) logit *= 0.8f / 0.85f;
  Sampler sampler({.temperature = 0.8, .seed = 3});
  std::vector<int> seen(kLogits.size());
  for (std::uint32_t draw = 0; draw < 200'000; ++draw) ++seen[sampler.sample(warmer, {}, draw)];
  double sum = 0;
  for (const float logit : kLogits) sum += std::exp(logit / 0.8);
  double chi_square = 0;
  for (std::size_t token = 0; token < kLogits.size(); ++token) {
    const double expected = std::exp(kLogits[token] / 0.8) / sum * 200'000;
    chi_square += (seen[token] - expected) * (seen[token] - expected) / expected;
  }
  EXPECT_LT(chi_square_p(chi_square, static_cast<double>(kLogits.size()) - 1), 1e-6);
}

TEST(Sampler, NamesALogitThatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> logits = {0, 1, bad};
    try {
      Sampler({}).sample(logits, {}, 0);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::internal);
      EXPECT_EQ(std::get<std::uint64_t>(error.fields().at("token")), 2u);
    }
  }
}

TEST(Sampler, NamesAParameterThatIsOutOfRange) {
  const auto field_of = [](const SamplingParameters& parameters) -> std::string {
    try {
      Sampler{parameters};
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_request);
      return std::get<std::string>(error.fields().at("field"));
    }
    return "";
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(field_of({}), "");
  EXPECT_EQ(field_of({.temperature = -1}), "temperature");
  EXPECT_EQ(field_of({.temperature = nan}), "temperature");
  EXPECT_EQ(field_of({.top_p = 1.1}), "top_p");
  EXPECT_EQ(field_of({.top_p = nan}), "top_p");
  EXPECT_EQ(field_of({.min_p = -0.1}), "min_p");
  EXPECT_EQ(field_of({.repetition_penalty = 0}), "repetition_penalty");
}

}  // namespace
}  // namespace plumbline
