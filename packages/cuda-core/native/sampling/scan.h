#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// What the sampler does with every token of the vocabulary, on vectors of whatever width this machine has.
namespace plumbline {

/// Tokens that are looked at together.
inline constexpr std::size_t kScanBlock = 64;
constexpr std::size_t scan_blocks(std::size_t tokens) { return (tokens + kScanBlock - 1) / kScanBlock; }

/// Writes the largest value of each block of kScanBlock (of one with a NaN, anything). Returns whether all values are finite.
bool block_maxima(std::span<const float> values, float* maxima);

/// The sum of e^((x - largest) / temperature) in float64, with a relative error below 1e-13. x <= largest; e^-700 stands for
/// what is still smaller.
double sum_of_exponentials(std::span<const float> values, double largest, double temperature);

/// Writes noise_word (gumbel_noise.h) of the kScanBlock tokens from `first_token` on, and returns whether one of them is at
/// least `threshold`.
bool noise_words(std::uint64_t seed, std::uint32_t first_token, std::uint32_t answer_index, std::uint32_t threshold,
                 std::uint32_t* words);

}  // namespace plumbline
