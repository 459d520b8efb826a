#include <algorithm>
#include <cstring>

#include "backend/cpu/blocks.h"
#include "backend/cpu/packed.h"

/// Four values of a row are moved at a time, as the 32-bit word that they are in a plane: bytes are never shuffled one by one,
/// and packing runs about as fast as memory.
namespace plumbline::cpu {
namespace {

constexpr std::uint32_t kLowNibbles = 0x0f0f0f0f;
constexpr std::uint32_t kHighNibbles = 0xf0f0f0f0;

std::uint32_t word(const void* bytes, std::size_t index) {
  std::uint32_t out;
  std::memcpy(&out, static_cast<const std::byte*>(bytes) + index * 4, 4);
  return out;
}

void put(Plane& plane, std::uint32_t row, std::uint32_t word) { std::memcpy(plane + row * 4, &word, 4); }

/// 16 bytes with values 0 to 15 in the low halves and 16 to 31 in the high ones: as they lie in the file.
void put_nibbles(NibblePlanes& planes, std::uint32_t row, const std::uint8_t* nibbles) {
  for (unsigned p = 0; p < 4; ++p) put(planes[p], row, word(nibbles, p));
}

/// 32 bytes with the values of one block in the low halves and those of the next in the high ones: takes the even or odd one.
void put_split_nibbles(NibblePlanes& planes, std::uint32_t row, const std::uint8_t* nibbles, bool odd) {
  for (unsigned p = 0; p < 4; ++p) {
    const std::uint32_t first = word(nibbles, p);
    const std::uint32_t second = word(nibbles, p + 4);
    put(planes[p], row,
        odd ? ((first >> 4) & kLowNibbles) | (second & kHighNibbles)
            : (first & kLowNibbles) | ((second & kLowNibbles) << 4));
  }
}

/// Bit i of the 32 belongs to value i: bits 4 g + i become bit g of byte i.
void put_fifth_bits(Plane& plane, std::uint32_t row, const std::uint8_t* fifth_bits) {
  const std::uint32_t bits = word(fifth_bits, 0);
  std::uint32_t out = 0;
  for (unsigned i = 0; i < 4; ++i) {
    std::uint32_t every_fourth = (bits >> i) & 0x11111111;
    every_fourth = (every_fourth | every_fourth >> 3) & 0x03030303;
    every_fourth = (every_fourth | every_fourth >> 6) & 0x000f000f;
    out |= ((every_fourth | every_fourth >> 12) & 0xff) << (8 * i);
  }
  put(plane, row, out);
}

void pack_row(const BlockQ8_0& in, std::uint32_t row, PackedQ8_0& out) {
  out.d[row] = in.d;
  for (unsigned g = 0; g < 8; ++g) put(out.codes[g], row, word(in.quants, g) ^ 0x80808080);
}

void pack_row(const BlockQ4_0& in, std::uint32_t row, PackedQ4_0& out) {
  out.d[row] = in.d;
  put_nibbles(out.nibbles, row, in.nibbles);
}

void pack_row(const BlockQ4_1& in, std::uint32_t row, PackedQ4_1& out) {
  out.d[row] = in.d;
  out.m[row] = in.m;
  put_nibbles(out.nibbles, row, in.nibbles);
}

void pack_row(const BlockQ5_0& in, std::uint32_t row, PackedQ5_0& out) {
  out.d[row] = in.d;
  put_fifth_bits(out.fifth_bits, row, in.fifth_bits);
  put_nibbles(out.nibbles, row, in.nibbles);
}

void pack_row(const BlockQ5_1& in, std::uint32_t row, PackedQ5_1& out) {
  out.d[row] = in.d;
  out.m[row] = in.m;
  put_fifth_bits(out.fifth_bits, row, in.fifth_bits);
  put_nibbles(out.nibbles, row, in.nibbles);
}

/// The twelve bytes of a Q4_K or Q5_K block: see dequantize.h.
template <class Blocks>
void put_scales(const std::uint8_t (&scales)[12], std::uint32_t row, Blocks& blocks) {
  for (unsigned s = 0; s < 4; ++s) {
    blocks[s].scale[row] = scales[s] & 63;
    blocks[s].minimum[row] = scales[s + 4] & 63;
    blocks[s + 4].scale[row] = static_cast<std::uint8_t>((scales[s + 8] & 15) | ((scales[s] >> 6) << 4));
    blocks[s + 4].minimum[row] = static_cast<std::uint8_t>((scales[s + 8] >> 4) | ((scales[s + 4] >> 6) << 4));
  }
}

void pack_row(const BlockQ4_K& in, std::uint32_t row, PackedQ4_K& out) {
  out.d[row] = in.d;
  out.dmin[row] = in.dmin;
  put_scales(in.scales, row, out.blocks);
  for (unsigned s = 0; s < 8; ++s) put_split_nibbles(out.blocks[s].nibbles, row, in.nibbles + s / 2 * 32, s % 2 != 0);
}

void pack_row(const BlockQ5_K& in, std::uint32_t row, PackedQ5_K& out) {
  out.d[row] = in.d;
  out.dmin[row] = in.dmin;
  put_scales(in.scales, row, out.blocks);
  for (unsigned s = 0; s < 8; ++s) {
    put_split_nibbles(out.blocks[s].nibbles, row, in.nibbles + s / 2 * 32, s % 2 != 0);
    std::uint32_t fifth_bits = 0;
    for (unsigned g = 0; g < 8; ++g) fifth_bits |= ((word(in.fifth_bits, g) >> s) & 0x01010101) << g;
    put(out.blocks[s].fifth_bits, row, fifth_bits);
  }
}

void pack_row(const BlockQ6_K& in, std::uint32_t row, PackedQ6_K& out) {
  out.d[row] = in.d;
  for (unsigned s = 0; s < 8; ++s) {
    // 128 values: 64 bytes of nibbles, quarters 0 and 1 in the low halves, 2 and 3 in the high ones; 32 bytes of high bits.
    const unsigned quarter = s % 4;
    auto& block = out.blocks[s];
    for (unsigned part = 0; part < 2; ++part) {
      block.scales[part][row] = static_cast<std::uint8_t>(in.scales[2 * s + part]);
      const std::uint8_t* high = in.high_bits + s / 4 * 32 + part * 16;
      std::uint32_t bits = 0;
      for (unsigned g = 0; g < 4; ++g) bits |= ((word(high, g) >> (2 * quarter)) & 0x03030303) << (2 * g);
      put(block.high_bits[part], row, bits);
    }
    put_split_nibbles(block.nibbles, row, in.nibbles + s / 4 * 64 + quarter % 2 * 32, quarter / 2 != 0);
  }
}

template <class Block, class Packed>
void pack_quantised(std::uint32_t width, const std::byte* data, std::size_t row_bytes, std::uint32_t rows,
                    std::byte* packed) {
  auto* out = reinterpret_cast<Packed*>(packed);
  for (std::size_t b = 0; b < width / Block::kValues; ++b) {
    for (std::uint32_t row = 0; row < rows; ++row) {
      Block block;
      std::memcpy(&block, data + row * row_bytes + b * sizeof(Block), sizeof block);
      pack_row(block, row, out[b]);
    }
  }
}

/// Value k of row r becomes value [k / 2][k % 2][r], or [k / 2][r][k % 2] where pairs stay together.
template <class Value, bool kPairs>
void pack_floats(std::uint32_t width, const std::byte* data, std::size_t row_bytes, std::uint32_t rows,
                 std::byte* packed) {
  auto* out = reinterpret_cast<Value*>(packed);
  for (std::size_t k = 0; k < width; ++k) {
    Value* const pair = out + k / 2 * 2 * kGroupRows;
    for (std::uint32_t row = 0; row < rows; ++row) {
      Value value;
      std::memcpy(&value, data + row * row_bytes + k * sizeof value, sizeof value);
      pair[kPairs ? row * 2 + k % 2 : k % 2 * kGroupRows + row] = value;
    }
  }
}

}  // namespace

std::size_t packed_group_bytes(gguf::Type type, std::uint32_t width) {
  const std::size_t pairs = (std::size_t{width} + 1) / 2;
  switch (type) {
    case gguf::Type::F32: return pairs * sizeof(PackedF32);
    case gguf::Type::F16: return pairs * sizeof(PackedF16);
    case gguf::Type::BF16: return pairs * sizeof(PackedBF16);
    case gguf::Type::Q4_K: return width / 256 * sizeof(PackedQ4_K);
    case gguf::Type::Q5_K: return width / 256 * sizeof(PackedQ5_K);
    default: {
      // Nothing but the order of the bytes changes.
      const gguf::TypeInfo& info = gguf::info(type);
      return std::size_t{width} / info.block_elements * info.block_bytes * kGroupRows;
    }
  }
}

void pack_group(gguf::Type type, std::uint32_t width, const std::byte* data, std::size_t row_bytes, std::uint32_t rows,
                std::byte* packed) {
  const auto pack = [&](auto function) { function(width, data, row_bytes, rows, packed); };
  if (rows < kGroupRows || width % 2 != 0) std::fill_n(packed, packed_group_bytes(type, width), std::byte{0});
  switch (type) {
    case gguf::Type::F32: return pack(pack_floats<float, false>);
    case gguf::Type::F16: return pack(pack_floats<std::uint16_t, false>);
    case gguf::Type::BF16: return pack(pack_floats<std::uint16_t, true>);
    case gguf::Type::Q8_0: return pack(pack_quantised<BlockQ8_0, PackedQ8_0>);
    case gguf::Type::Q4_0: return pack(pack_quantised<BlockQ4_0, PackedQ4_0>);
    case gguf::Type::Q4_1: return pack(pack_quantised<BlockQ4_1, PackedQ4_1>);
    case gguf::Type::Q5_0: return pack(pack_quantised<BlockQ5_0, PackedQ5_0>);
    case gguf::Type::Q5_1: return pack(pack_quantised<BlockQ5_1, PackedQ5_1>);
    case gguf::Type::Q4_K: return pack(pack_quantised<BlockQ4_K, PackedQ4_K>);
    case gguf::Type::Q5_K: return pack(pack_quantised<BlockQ5_K, PackedQ5_K>);
    case gguf::Type::Q6_K: return pack(pack_quantised<BlockQ6_K, PackedQ6_K>);
    default: return;
  }
}

}  // namespace plumbline::cpu
