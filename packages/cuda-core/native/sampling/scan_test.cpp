#include "sampling/scan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "sampling/gumbel_noise.h"

namespace plumbline {
namespace {

std::vector<float> random_values(std::size_t count, float spread) {
  std::mt19937 random(static_cast<unsigned>(count));
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

TEST(Scan, FindsTheMaximumOfEachBlock) {
  for (const std::size_t count : {1u, 7u, 63u, 64u, 65u, 128u, 1000u}) {
    const std::vector<float> values = random_values(count, 3);
    std::vector<float> maxima(scan_blocks(count));
    EXPECT_TRUE(block_maxima(values, maxima.data()));
    for (std::size_t block = 0; block < maxima.size(); ++block) {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(block * kScanBlock);
      const auto end = values.begin() + static_cast<std::ptrdiff_t>(std::min(count, (block + 1) * kScanBlock));
      EXPECT_EQ(maxima[block], *std::max_element(begin, end));
    }
  }
}

TEST(Scan, SeesWhatIsNotFiniteWhereverItIs) {
  using Limits = std::numeric_limits<float>;
  for (const float bad : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()}) {
    for (std::size_t at = 0; at < 150; ++at) {
      std::vector<float> values = random_values(150, 3);
      std::vector<float> maxima(scan_blocks(values.size()));
      values[at] = Limits::max();
      EXPECT_TRUE(block_maxima(values, maxima.data()));
      values[at] = bad;
      EXPECT_FALSE(block_maxima(values, maxima.data())) << bad << " at " << at;
    }
  }
}

TEST(Scan, SumsExponentialsTo1e13) {
  for (const std::size_t count : {1u, 7u, 8u, 9u, 1000u, 49'152u}) {
    for (const float spread : {0.01f, 1.0f, 10.0f, 300.0f}) {
      for (const double temperature : {0.05, 0.7, 2.0}) {
        const std::vector<float> values = random_values(count, spread);
        const double largest = *std::ranges::max_element(values);
        long double expected = 0;
        for (const float value : values) expected += std::exp((static_cast<long double>(value) - largest) / temperature);
        const double found = sum_of_exponentials(values, largest, temperature);
        EXPECT_LT(std::abs(static_cast<double>(found / expected - 1)), 1e-13) << count << ' ' << spread << ' ' << temperature;
      }
    }
  }
}

TEST(Scan, DrawsTheNoiseWordsOfEveryToken) {
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1} << 63 | 12'345, ~std::uint64_t{0}}) {
    for (const std::uint32_t first : {0u, 64u, 151'872u}) {
      std::uint32_t words[kScanBlock];
      noise_words(seed, first, 7, 0, words);
      for (std::uint32_t i = 0; i < kScanBlock; ++i) EXPECT_EQ(words[i], noise_word(seed, first + i, 7));
      const std::uint32_t most = *std::ranges::max_element(words);
      EXPECT_TRUE(noise_words(seed, first, 7, 0, words));
      EXPECT_TRUE(noise_words(seed, first, 7, most, words));
      EXPECT_FALSE(noise_words(seed, first, 7, most + 1, words));
    }
  }
}

}  // namespace
}  // namespace plumbline
