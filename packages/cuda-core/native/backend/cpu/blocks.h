#pragma once

#include <cstdint>

/// The blocks of ggml's quantised types as they lie in a file (ggml/src/ggml-common.h). Scales named d, m and dmin are
/// float16 bits. What the values are is written in dequantize.h.
namespace plumbline::cpu {

struct BlockF32 {
  static constexpr unsigned kValues = 16;
  float values[16];
};

struct BlockF16 {
  static constexpr unsigned kValues = 16;
  std::uint16_t values[16];
};

struct BlockBF16 {
  static constexpr unsigned kValues = 16;
  std::uint16_t values[16];
};

struct BlockQ8_0 {
  static constexpr unsigned kValues = 32;
  std::uint16_t d;
  std::int8_t quants[32];
};

struct BlockQ4_0 {
  static constexpr unsigned kValues = 32;
  std::uint16_t d;
  std::uint8_t nibbles[16];  ///< value i in the low half of byte i, value i + 16 in the high half
};

struct BlockQ4_1 {
  static constexpr unsigned kValues = 32;
  std::uint16_t d;
  std::uint16_t m;
  std::uint8_t nibbles[16];
};

struct BlockQ5_0 {
  static constexpr unsigned kValues = 32;
  std::uint16_t d;
  std::uint8_t fifth_bits[4];  ///< bit i of the 32 belongs to value i
  std::uint8_t nibbles[16];
};

struct BlockQ5_1 {
  static constexpr unsigned kValues = 32;
  std::uint16_t d;
  std::uint16_t m;
  std::uint8_t fifth_bits[4];
  std::uint8_t nibbles[16];
};

struct BlockQ4_K {
  static constexpr unsigned kValues = 256;
  std::uint16_t d;
  std::uint16_t dmin;
  std::uint8_t scales[12];    ///< eight 6-bit scales and eight 6-bit minima
  std::uint8_t nibbles[128];  ///< four groups of 32 bytes: 32 values in the low halves, the next 32 in the high halves
};

struct BlockQ5_K {
  static constexpr unsigned kValues = 256;
  std::uint16_t d;
  std::uint16_t dmin;
  std::uint8_t scales[12];
  std::uint8_t fifth_bits[32];  ///< bit s of byte i belongs to value 32 s + i
  std::uint8_t nibbles[128];
};

struct BlockQ6_K {
  static constexpr unsigned kValues = 256;
  std::uint8_t nibbles[128];  ///< two groups of 64 bytes for 128 values each
  std::uint8_t high_bits[64];
  std::int8_t scales[16];
  std::uint16_t d;
};

static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 &&
              sizeof(BlockQ5_0) == 22 && sizeof(BlockQ5_1) == 24 && sizeof(BlockQ4_K) == 144 &&
              sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);

}  // namespace plumbline::cpu
