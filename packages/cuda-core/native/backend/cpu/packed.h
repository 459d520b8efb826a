#pragma once

#include <cstddef>
#include <cstdint>

#include "gguf/types.h"

/// Weights as the `fast` kernels read them: sixteen rows lie interleaved, so that one vector holds the same values of
/// sixteen rows and no sum ever crosses lanes. One layout for all variants, made once at load (pack.cpp), of the size that
/// the file has them in (the K-quants with scales of their own for a sub-block are 2 % larger: 6 bits became 8).
///
/// A plane of 64 bytes has four for each of the 16 rows: byte 4 r + i belongs to row r, and to value 4 g + i of a block of 32
/// values, g being the group of four that the plane, or the bits in it, is for.
namespace plumbline::cpu {

/// Rows that lie interleaved. A last group that is not full is filled up with rows of zeros.
inline constexpr std::uint32_t kGroupRows = 16;
inline constexpr std::uint32_t kBlockValues = 32;
/// The halves of a block, of 16 values, have activations of a scale each: one value that is far larger than all others costs
/// only its own half precision. (Of SmolLM2's logits that halves the distance from float64.)
inline constexpr std::uint32_t kBlockParts = 2;

using RowHalves = std::uint16_t[kGroupRows];  ///< float16 bits, one for each row
using RowBytes = std::uint8_t[kGroupRows];
using Plane = std::uint8_t[kGroupRows * 4];

/// Planes 0 to 3: groups 0 to 3 in the low halves, 4 to 7 in the high ones.
using NibblePlanes = Plane[4];

// What is written of each: the values of a row are (code - kOffset) * scale + minimum, with one scale for a block or, where
// kScales is 2, for half of it; kBlocks blocks of 32 make one of these; codes are at most kMaxCode.

struct PackedQ8_0 {
  static constexpr unsigned kBlocks = 1, kScales = 1, kOffset = 128, kMaxCode = 255;
  static constexpr bool kHasMinimum = false;
  RowHalves d;
  Plane codes[8];  ///< quants + 128
};

struct PackedQ4_0 {
  static constexpr unsigned kBlocks = 1, kScales = 1, kOffset = 8, kMaxCode = 15;
  static constexpr bool kHasMinimum = false;
  RowHalves d;
  NibblePlanes nibbles;
};

struct PackedQ4_1 {
  static constexpr unsigned kBlocks = 1, kScales = 1, kOffset = 0, kMaxCode = 15;
  static constexpr bool kHasMinimum = true;
  RowHalves d;
  RowHalves m;
  NibblePlanes nibbles;
};

struct PackedQ5_0 {
  static constexpr unsigned kBlocks = 1, kScales = 1, kOffset = 16, kMaxCode = 31;
  static constexpr bool kHasMinimum = false;
  RowHalves d;
  Plane fifth_bits;  ///< bit g is for group g
  NibblePlanes nibbles;
};

struct PackedQ5_1 {
  static constexpr unsigned kBlocks = 1, kScales = 1, kOffset = 0, kMaxCode = 31;
  static constexpr bool kHasMinimum = true;
  RowHalves d;
  RowHalves m;
  Plane fifth_bits;
  NibblePlanes nibbles;
};

struct PackedQ4_K {
  static constexpr unsigned kBlocks = 8, kScales = 1, kOffset = 0, kMaxCode = 15;
  static constexpr bool kHasMinimum = true;
  RowHalves d;
  RowHalves dmin;
  struct {
    RowBytes scale;    ///< of 6 bits, to be multiplied by d
    RowBytes minimum;  ///< of 6 bits, to be multiplied by -dmin
    NibblePlanes nibbles;
  } blocks[8];
};

struct PackedQ5_K {
  static constexpr unsigned kBlocks = 8, kScales = 1, kOffset = 0, kMaxCode = 31;
  static constexpr bool kHasMinimum = true;
  RowHalves d;
  RowHalves dmin;
  struct {
    RowBytes scale;
    RowBytes minimum;
    Plane fifth_bits;
    NibblePlanes nibbles;
  } blocks[8];
};

struct PackedQ6_K {
  static constexpr unsigned kBlocks = 8, kScales = 2, kOffset = 32, kMaxCode = 63;
  static constexpr bool kHasMinimum = false;
  RowHalves d;
  struct {
    RowBytes scales[2];  ///< signed, to be multiplied by d: of values 0 to 15, of values 16 to 31
    Plane high_bits[2];  ///< bits 2 g and 2 g + 1 of the first are for group g, of the second for group g + 4
    NibblePlanes nibbles;
  } blocks[8];
};

// Floats: two values of sixteen rows at a time.

struct PackedF32 {
  float even[kGroupRows];
  float odd[kGroupRows];
};

struct PackedF16 {
  RowHalves even;
  RowHalves odd;
};

struct PackedBF16 {
  std::uint16_t values[kGroupRows][2];
};

static_assert(sizeof(PackedQ8_0) == 16 * 34 && sizeof(PackedQ4_0) == 16 * 18 && sizeof(PackedQ4_1) == 16 * 20 &&
              sizeof(PackedQ5_0) == 16 * 22 && sizeof(PackedQ5_1) == 16 * 24 && sizeof(PackedQ6_K) == 16 * 210 &&
              sizeof(PackedQ4_K) == 16 * 148 && sizeof(PackedQ5_K) == 16 * 180);

constexpr bool is_float(gguf::Type type) {
  return type == gguf::Type::F32 || type == gguf::Type::F16 || type == gguf::Type::BF16;
}

/// Bytes of sixteen packed rows.
std::size_t packed_group_bytes(gguf::Type type, std::uint32_t width);

/// Packs `rows` rows (1 to 16) of the file, `row_bytes` apart.
void pack_group(gguf::Type type, std::uint32_t width, const std::byte* data, std::size_t row_bytes, std::uint32_t rows,
                std::byte* packed);

/// 32 activations of a token, quantised: value i is scales[i / 16] * quants[i].
struct ActivationBlock {
  float scales[kBlockParts];             ///< largest magnitude / 127
  float scaled_sum;                      ///< of all 32 values, as they are quantised
  std::int32_t minus_sums[kBlockParts];  ///< of the quants: what codes that are offset by one have too much
  std::int8_t quants[kBlockValues];
};
static_assert(sizeof(ActivationBlock) == 52);

}  // namespace plumbline::cpu
