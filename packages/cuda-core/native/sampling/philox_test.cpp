#include "sampling/philox.h"

#include <gtest/gtest.h>

#include "sampling/gumbel_noise.h"

namespace plumbline {
namespace {

using Words = std::array<std::uint32_t, 4>;

// Random123, tests/kat_vectors, philox4x32 10.
TEST(Philox, EqualsTheKnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0}, {0, 0, 0, 0}), (Words{0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8}));
  EXPECT_EQ(philox4x32({~0u, ~0u}, {~0u, ~0u, ~0u, ~0u}), (Words{0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD}));
  EXPECT_EQ(philox4x32({0xA4093822, 0x299F31D0}, {0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344}),
            (Words{0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1}));
}

TEST(GumbelNoise, LiesBetweenItsBounds) {
  EXPECT_GT(gumbel_noise(0), -3.2);
  EXPECT_LT(gumbel_noise(~0u), kMaxNoise);
  EXPECT_GT(gumbel_noise(~0u), kMaxNoise - 0.1);
}

TEST(GumbelNoise, IsNeverAboveTheBoundThatNeedsNoLogarithm) {
  for (std::uint32_t index = 0; index < 100'000; ++index) {
    const std::uint32_t word = noise_word(42, index, 0);
    ASSERT_LE(gumbel_noise(word), noise_bound(word)) << word;
  }
  for (int bit = 0; bit < 32; ++bit) {
    for (const std::uint32_t from_top : {(1u << bit) - 1, 1u << bit, (1u << bit) + 1}) {
      ASSERT_LE(gumbel_noise(~0u - from_top), noise_bound(~0u - from_top)) << from_top;
    }
  }
}

}  // namespace
}  // namespace plumbline
