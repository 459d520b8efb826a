#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "gguf/types.h"

namespace plumbline::bench {

/// Rows of a quantised matrix whose values are ordinary numbers: random quants, and scales that are neither infinite nor
/// subnormal, both of which some machines are slow with.
inline std::vector<std::byte> random_weight(gguf::Type type, std::uint32_t width, std::uint32_t rows) {
  const gguf::TypeInfo& layout = gguf::info(type);
  const std::size_t blocks = std::size_t{width} / layout.block_elements * rows;
  std::vector<std::byte> bytes(blocks * layout.block_bytes);
  std::mt19937_64 random(1);
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(std::uint64_t)) {
    const std::uint64_t word = random();
    std::memcpy(bytes.data() + i, &word, std::min(sizeof word, bytes.size() - i));
  }
  const auto halves = [&](std::initializer_list<std::size_t> offsets) {
    constexpr std::uint16_t kScale = 0x1400;  // 2^-10 in float16
    for (std::size_t block = 0; block < blocks; ++block) {
      for (const std::size_t offset : offsets) {
        std::memcpy(bytes.data() + block * layout.block_bytes + offset, &kScale, sizeof kScale);
      }
    }
  };
  // Sign and significand stay, the exponent becomes that of 1/16.
  const auto exponents = [&]<class Bits>(Bits keep, Bits exponent) {
    for (std::size_t i = 0; i < bytes.size(); i += sizeof(Bits)) {
      Bits value;
      std::memcpy(&value, bytes.data() + i, sizeof value);
      value = static_cast<Bits>((value & keep) | exponent);
      std::memcpy(bytes.data() + i, &value, sizeof value);
    }
  };
  using enum gguf::Type;
  switch (type) {
    case F32: exponents(std::uint32_t{0x807fffff}, std::uint32_t{0x3d800000}); break;
    case F16: exponents(std::uint16_t{0x83ff}, std::uint16_t{0x2c00}); break;
    case BF16: exponents(std::uint16_t{0x807f}, std::uint16_t{0x3d80}); break;
    case Q6_K: halves({208}); break;
    case Q4_1: case Q5_1: case Q4_K: case Q5_K: halves({0, 2}); break;
    default: halves({0}); break;  // Q8_0, Q4_0, Q5_0
  }
  return bytes;
}

}  // namespace plumbline::bench
