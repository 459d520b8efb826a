#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/packed.h"
#include "bench/random_weight.h"

/// What is packed, read value by value from its description in packed.h, is to the bit what the file's blocks stand for
/// (dequantize.h, which gguf-py's own vectors hold).
namespace plumbline::cpu {
namespace {

float from_f16(std::uint16_t half) {
  float out[16];
  std::uint16_t halves[16] = {half};
  portable::kKernels.dequantize_row(gguf::Type::F16, reinterpret_cast<const std::byte*>(halves), 16, out);
  return out[0];
}

/// The four bytes or bits that a plane has for value i: the byte, shifted right by `by`.
unsigned byte_of(const Plane& plane, unsigned row, unsigned i, unsigned by = 0) { return plane[4 * row + i % 4] >> by; }

unsigned nibble(const NibblePlanes& planes, unsigned row, unsigned i) {
  return byte_of(planes[i / 4 % 4], row, i, i / 16 * 4) & 15;
}
unsigned fifth_bit(const Plane& plane, unsigned row, unsigned i) { return (byte_of(plane, row, i, i / 4) & 1) << 4; }

unsigned code(const PackedQ8_0& p, unsigned, unsigned row, unsigned i) { return byte_of(p.codes[i / 4], row, i); }
unsigned code(const PackedQ4_0& p, unsigned, unsigned row, unsigned i) { return nibble(p.nibbles, row, i); }
unsigned code(const PackedQ4_1& p, unsigned, unsigned row, unsigned i) { return nibble(p.nibbles, row, i); }
unsigned code(const PackedQ4_K& p, unsigned s, unsigned row, unsigned i) { return nibble(p.blocks[s].nibbles, row, i); }
template <class Packed>
  requires requires(const Packed& p) { p.fifth_bits; }
unsigned code(const Packed& p, unsigned, unsigned row, unsigned i) {
  return nibble(p.nibbles, row, i) | fifth_bit(p.fifth_bits, row, i);
}
unsigned code(const PackedQ5_K& p, unsigned s, unsigned row, unsigned i) {
  return nibble(p.blocks[s].nibbles, row, i) | fifth_bit(p.blocks[s].fifth_bits, row, i);
}
unsigned code(const PackedQ6_K& p, unsigned s, unsigned row, unsigned i) {
  const auto& block = p.blocks[s];
  return nibble(block.nibbles, row, i) | (byte_of(block.high_bits[i / 16], row, i, i / 4 % 4 * 2) & 3) << 4;
}

template <class Packed>
float scale(const Packed& p, unsigned s, unsigned row, unsigned part) {
  if constexpr (Packed::kScales == 2) {
    return from_f16(p.d[row]) * static_cast<float>(static_cast<std::int8_t>(p.blocks[s].scales[part][row]));
  } else if constexpr (Packed::kBlocks == 8) {
    return from_f16(p.d[row]) * static_cast<float>(p.blocks[s].scale[row]);
  } else {
    return from_f16(p.d[row]);
  }
}

template <class Packed>
float minimum(const Packed& p, unsigned s, unsigned row) {
  if constexpr (!Packed::kHasMinimum) {
    return 0;
  } else if constexpr (Packed::kBlocks == 8) {
    return -from_f16(p.dmin[row]) * static_cast<float>(p.blocks[s].minimum[row]);
  } else {
    return from_f16(p.m[row]);
  }
}

template <class Packed>
float quantised_value(const std::byte* group, std::uint32_t row, std::uint32_t k) {
  constexpr unsigned kValues = Packed::kBlocks * kBlockValues;
  const Packed& p = reinterpret_cast<const Packed*>(group)[k / kValues];
  const unsigned s = k % kValues / kBlockValues;
  const unsigned i = k % kBlockValues;
  const float quant = static_cast<float>(static_cast<int>(code(p, s, row, i)) - static_cast<int>(Packed::kOffset));
  return quant * scale(p, s, row, i / (kBlockValues / Packed::kScales)) + minimum(p, s, row);
}

float value(gguf::Type type, const std::byte* group, std::uint32_t row, std::uint32_t k) {
  switch (type) {
    case gguf::Type::F32: {
      const PackedF32& p = reinterpret_cast<const PackedF32*>(group)[k / 2];
      return (k % 2 == 0 ? p.even : p.odd)[row];
    }
    case gguf::Type::F16: {
      const PackedF16& p = reinterpret_cast<const PackedF16*>(group)[k / 2];
      return from_f16((k % 2 == 0 ? p.even : p.odd)[row]);
    }
    case gguf::Type::BF16: {
      const std::uint32_t bits = std::uint32_t{reinterpret_cast<const PackedBF16*>(group)[k / 2].values[row][k % 2]} << 16;
      float out;
      std::memcpy(&out, &bits, sizeof out);
      return out;
    }
    case gguf::Type::Q8_0: return quantised_value<PackedQ8_0>(group, row, k);
    case gguf::Type::Q4_0: return quantised_value<PackedQ4_0>(group, row, k);
    case gguf::Type::Q4_1: return quantised_value<PackedQ4_1>(group, row, k);
    case gguf::Type::Q5_0: return quantised_value<PackedQ5_0>(group, row, k);
    case gguf::Type::Q5_1: return quantised_value<PackedQ5_1>(group, row, k);
    case gguf::Type::Q4_K: return quantised_value<PackedQ4_K>(group, row, k);
    case gguf::Type::Q5_K: return quantised_value<PackedQ5_K>(group, row, k);
    case gguf::Type::Q6_K: return quantised_value<PackedQ6_K>(group, row, k);
    default: ADD_FAILURE() << "no such packed type"; return 0;
  }
}

class PackTest : public testing::TestWithParam<gguf::Type> {};

TEST_P(PackTest, KeepsEveryValueToTheBit) {
  const gguf::Type type = GetParam();
  const gguf::TypeInfo& info = gguf::info(type);
  const std::vector<std::uint32_t> widths = info.block_elements == 1 ? std::vector<std::uint32_t>{2, 7, 48, 173}
                                                                     : std::vector<std::uint32_t>{info.block_elements,
                                                                                                  info.block_elements * 3};
  for (const std::uint32_t width : widths) {
    for (const std::uint32_t rows : {1u, 5u, 16u}) {
      const std::vector<std::byte> file = bench::random_weight(type, width, rows);
      const std::size_t row_bytes = file.size() / rows;
      // Not zero, so that what is not written shows.
      std::vector<std::byte> packed(packed_group_bytes(type, width), std::byte{0x5a});
      pack_group(type, width, file.data(), row_bytes, rows, packed.data());
      for (std::uint32_t row = 0; row < kGroupRows; ++row) {
        std::vector<float> expected(width + 16, 0.0f);
        if (row < rows) {
          portable::kKernels.dequantize_row(type, file.data() + row * row_bytes, width, expected.data());
        }
        for (std::uint32_t k = 0; k < width; ++k) {
          const float found = value(type, packed.data(), row, k);
          ASSERT_EQ(found, expected[k]) << "width " << width << ", " << rows << " rows, row " << row << ", value " << k;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, PackTest,
                         testing::Values(gguf::Type::F32, gguf::Type::F16, gguf::Type::BF16, gguf::Type::Q8_0,
                                         gguf::Type::Q4_0, gguf::Type::Q4_1, gguf::Type::Q5_0, gguf::Type::Q5_1,
                                         gguf::Type::Q4_K, gguf::Type::Q5_K, gguf::Type::Q6_K),
                         [](const auto& instance) { return std::string(gguf::info(instance.param).name); });

}  // namespace
}  // namespace plumbline::cpu
