#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "sampling/philox.h"

namespace plumbline {

/// The random word behind one token's noise at one place of the answer (packages/protocol/src/sampling.ts, step 8).
constexpr std::uint32_t noise_word(std::uint64_t seed, std::uint32_t token, std::uint32_t answer_index) noexcept {
  return philox4x32({static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
                    {token, answer_index, 0, 0})[0];
}

/// -ln(-ln u), u = (word + 0.5) / 2^32.
inline double gumbel_noise(std::uint32_t word) noexcept {
  return -std::log(-std::log((static_cast<double>(word) + 0.5) * 0x1p-32));
}

/// The noise is never above it: the word 2^32 - 1.
inline constexpr double kMaxNoise = 22.9;

/// Never below gumbel_noise(word), and without a logarithm: -ln u >= 1 - u, so the noise is at most -ln(1 - u), and
/// 1 - u = (v - 0.5) / 2^32 >= 2^(bits of v - 34) with v = 2^32 - word.
inline double noise_bound(std::uint32_t word) noexcept {
  const auto bits = static_cast<int>(std::bit_width((std::uint64_t{1} << 32) - word));
  return std::numbers::ln2 * (34 - bits) + 1e-9;
}

}  // namespace plumbline
