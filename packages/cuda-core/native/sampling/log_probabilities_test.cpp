#include "sampling/log_probabilities.h"

#include <cmath>

#include <gtest/gtest.h>

namespace plumbline {
namespace {

TEST(LogProbabilities, AreTheLogarithmsOfTheSoftmax) {
  const std::vector<float> logits = {1, 3, 3, -2};
  const double sum = std::exp(1.0) + 2 * std::exp(3.0) + std::exp(-2.0);
  const LogProbabilities result = log_probabilities(logits, 3, 3);
  EXPECT_NEAR(result.chosen, -2 - std::log(sum), 1e-14);
  ASSERT_EQ(result.top.size(), 3u);
  EXPECT_EQ(result.top[0].token, 1u);  // ties by id
  EXPECT_EQ(result.top[1].token, 2u);
  EXPECT_EQ(result.top[2].token, 0u);
  EXPECT_NEAR(result.top[2].log_probability, 1 - std::log(sum), 1e-14);
}

TEST(LogProbabilities, SurviveLargeLogits) {
  const std::vector<float> logits = {3e38f, -3e38f, 3e38f};
  EXPECT_NEAR(log_probabilities(logits, 0, 0).chosen, -std::log(2.0), 1e-9 * 3e38);
  EXPECT_LT(log_probabilities(logits, 1, 0).chosen, -1e38);
}

TEST(LogProbabilities, ListNoMoreThanTheVocabulary) {
  const std::vector<float> logits = {0, 1};
  EXPECT_EQ(log_probabilities(logits, 0, 20).top.size(), 2u);
  EXPECT_TRUE(log_probabilities(logits, 0, 0).top.empty());
}

}  // namespace
}  // namespace plumbline
