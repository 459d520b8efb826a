#pragma once

#include "backend/cpu/blocks.h"
#include "backend/cpu/vector.h"

/// What a block stands for: `decode(block, sink)` calls sink(i, values) for its i-th sixteen values, in order. The same
/// float32 operations in the same order as gguf-py's quants.py, so that the values are the same to the bit.
namespace plumbline::cpu::PLUMBLINE_VARIANT {

template <class Sink>
PLUMBLINE_INLINE void decode(const BlockF32& block, const Sink& sink) {
  sink(0, F32x16::load(block.values));
}

template <class Sink>
PLUMBLINE_INLINE void decode(const BlockF16& block, const Sink& sink) {
  sink(0, load_f16x16(block.values));
}

template <class Sink>
PLUMBLINE_INLINE void decode(const BlockBF16& block, const Sink& sink) {
  sink(0, load_bf16(block.values));
}

template <class Sink>
PLUMBLINE_INLINE void decode(const BlockQ8_0& block, const Sink& sink) {
  const F32x16 d = F32x16::broadcast(f16_to_float(block.d));
  sink(0, load_signed_bytes(block.quants) * d);
  sink(1, load_signed_bytes(block.quants + 16) * d);
}

template <class Sink>
PLUMBLINE_INLINE void decode(const BlockQ4_0& block, const Sink& sink) {
  const F32x16 d = F32x16::broadcast(f16_to_float(block.d));
  const F32x16 eight = F32x16::broadcast(8.0f);
  const U8x16 nibbles = load_bytes(block.nibbles);
  sink(0, (to_float(nibbles & 15) - eight) * d);
  sink(1, (to_float(nibbles >> 4) - eight) * d);
}

template <class Sink>
PLUMBLINE_INLINE void decode(const BlockQ4_1& block, const Sink& sink) {
  const F32x16 d = F32x16::broadcast(f16_to_float(block.d));
  const F32x16 m = F32x16::broadcast(f16_to_float(block.m));
  const U8x16 nibbles = load_bytes(block.nibbles);
  sink(0, to_float(nibbles & 15) * d + m);
  sink(1, to_float(nibbles >> 4) * d + m);
}

/// 16 where the bit is set that belongs to the lane, 0 elsewhere; lane i < 8 looks at bit i of `low`.
PLUMBLINE_INLINE U8x16 fifth_bit(std::uint8_t low, std::uint8_t high) {
  const U8x16 bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const std::uint64_t spread[2] = {low * 0x0101010101010101u, high * 0x0101010101010101u};
  return reinterpret_cast<U8x16>((load_bytes(spread) & bit) != 0) & 16;
}

template <class Sink>
PLUMBLINE_INLINE void decode(const BlockQ5_0& block, const Sink& sink) {
  const F32x16 d = F32x16::broadcast(f16_to_float(block.d));
  const F32x16 sixteen = F32x16::broadcast(16.0f);
  const U8x16 nibbles = load_bytes(block.nibbles);
  const std::uint8_t* bits = block.fifth_bits;
  sink(0, (to_float((nibbles & 15) | fifth_bit(bits[0], bits[1])) - sixteen) * d);
  sink(1, (to_float((nibbles >> 4) | fifth_bit(bits[2], bits[3])) - sixteen) * d);
}

template <class Sink>
PLUMBLINE_INLINE void decode(const BlockQ5_1& block, const Sink& sink) {
  const F32x16 d = F32x16::broadcast(f16_to_float(block.d));
  const F32x16 m = F32x16::broadcast(f16_to_float(block.m));
  const U8x16 nibbles = load_bytes(block.nibbles);
  const std::uint8_t* bits = block.fifth_bits;
  sink(0, to_float((nibbles & 15) | fifth_bit(bits[0], bits[1])) * d + m);
  sink(1, to_float((nibbles >> 4) | fifth_bit(bits[2], bits[3])) * d + m);
}

/// The 6-bit scale and minimum of sub-block `s` of a Q4_K or Q5_K block: the first four lie in the low six bits of bytes
/// s and s + 4, the others in the halves of byte s + 4, with their two high bits in the high bits of the first ones.
struct ScaleAndMinimum {
  float scale;
  float minimum;
};

PLUMBLINE_INLINE ScaleAndMinimum scale_and_minimum(const std::uint8_t* packed, std::size_t s) {
  if (s < 4) return {static_cast<float>(packed[s] & 63), static_cast<float>(packed[s + 4] & 63)};
  return {static_cast<float>((packed[s + 4] & 15) | ((packed[s - 4] >> 6) << 4)),
          static_cast<float>((packed[s + 4] >> 4) | ((packed[s] >> 6) << 4))};
}

/// d * scale * quant - dmin * minimum for the eight sub-blocks of a Q4_K or Q5_K block. `fifth(s, half)` is what its values
/// add to the nibbles. The products are exact in float32 (11 + 6 + 5 bits at most): only the difference is rounded, so
/// nobody can tell in which order they were taken.
template <class Block, class Sink, class Fifth>
PLUMBLINE_INLINE void decode_sub_blocks(const Block& block, const Sink& sink, const Fifth& fifth) {
  const float d = f16_to_float(block.d);
  const float dmin = f16_to_float(block.dmin);
  unrolled<8>(PLUMBLINE_UNROLLED(s) {
    const ScaleAndMinimum packed = scale_and_minimum(block.scales, s);
    const F32x16 scale = F32x16::broadcast(d * packed.scale);
    const F32x16 minimum = F32x16::broadcast(dmin * packed.minimum);
    const int shift = s % 2 * 4;
    unrolled<2>(PLUMBLINE_UNROLLED(half) {
      const U8x16 nibbles = load_bytes(block.nibbles + s / 2 * 32 + half * 16);
      sink(s * 2 + half, to_float(((nibbles >> shift) & 15) | fifth(s, half)) * scale - minimum);
    });
  });
}

template <class Sink>
PLUMBLINE_INLINE void decode(const BlockQ4_K& block, const Sink& sink) {
  decode_sub_blocks(block, sink, [](std::size_t, std::size_t) __attribute__((always_inline)) { return U8x16{}; });
}

template <class Sink>
PLUMBLINE_INLINE void decode(const BlockQ5_K& block, const Sink& sink) {
  decode_sub_blocks(block, sink, [&](std::size_t s, std::size_t half) __attribute__((always_inline)) {
    return ((load_bytes(block.fifth_bits + half * 16) >> s) & 1) << 4;
  });
}

template <class Sink>
PLUMBLINE_INLINE void decode(const BlockQ6_K& block, const Sink& sink) {
  const float d = f16_to_float(block.d);
  const F32x16 thirty_two = F32x16::broadcast(32.0f);
  // Sixteen values a step: 128 values take 64 bytes of nibbles (low halves first) and 32 bytes of four 2-bit parts.
  unrolled<16>(PLUMBLINE_UNROLLED(i) {
    const std::size_t group = i / 8;
    const std::size_t quarter = i % 8 / 2;
    const std::size_t half = i % 2;
    const U8x16 nibbles = load_bytes(block.nibbles + group * 64 + quarter % 2 * 32 + half * 16);
    const U8x16 high = load_bytes(block.high_bits + group * 32 + half * 16);
    const U8x16 quants = ((nibbles >> (quarter / 2 * 4)) & 15) | (((high >> (quarter * 2)) & 3) << 4);
    const F32x16 scale = F32x16::broadcast(d * static_cast<float>(block.scales[i]));
    sink(i, (to_float(quants) - thirty_two) * scale);
  });
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
