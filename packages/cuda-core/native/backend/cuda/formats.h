#pragma once

#include "backend/cuda/kernel.h"
#include "gguf/types.h"

/// The types that weights have in a file (ggml/src/ggml-common.h), each with the value of an element of a row. Scales named d, m and
/// dmin are float16. Products are rounded before they are added (nvcc -fmad=false), so that a value has the same bits as on the CPU.
namespace plumbline::cuda {

using Bytes = Global<const std::byte>;

__device__ inline float f16_at(const Bytes& row, std::size_t offset) {
  return f16_to_float(row.load<std::uint16_t>(offset));
}
__device__ inline unsigned byte_at(const Bytes& row, std::size_t offset) { return row.load<std::uint8_t>(offset); }
__device__ inline int signed_byte_at(const Bytes& row, std::size_t offset) { return row.load<std::int8_t>(offset); }

/// Value i of 32 whose low halves are the first sixteen.
__device__ inline unsigned nibble_at(const Bytes& row, std::size_t nibbles, unsigned i) {
  return byte_at(row, nibbles + i % 16) >> (i / 16 * 4) & 15;
}

/// Bit i of 32, as what it adds to a nibble.
__device__ inline unsigned fifth_bit_at(const Bytes& row, std::size_t bits, unsigned i) {
  return (byte_at(row, bits + i / 8) >> (i % 8) & 1) << 4;
}

struct F32 {
  __device__ static float value(const Bytes& row, unsigned i) { return row.load<float>(std::size_t{i} * 4); }
};

struct F16 {
  __device__ static float value(const Bytes& row, unsigned i) { return f16_at(row, std::size_t{i} * 2); }
};

struct BF16 {
  __device__ static float value(const Bytes& row, unsigned i) {
    return bits_to_float(std::uint32_t{row.load<std::uint16_t>(std::size_t{i} * 2)} << 16);
  }
};

/// d, 32 signed bytes.
struct Q8_0 {
  __device__ static float value(const Bytes& row, unsigned i) {
    const std::size_t block = std::size_t{i / 32} * 34;
    return static_cast<float>(signed_byte_at(row, block + 2 + i % 32)) * f16_at(row, block);
  }
};

/// d, 16 bytes of nibbles.
struct Q4_0 {
  __device__ static float value(const Bytes& row, unsigned i) {
    const std::size_t block = std::size_t{i / 32} * 18;
    return (static_cast<float>(nibble_at(row, block + 2, i % 32)) - 8.0f) * f16_at(row, block);
  }
};

/// d, m, 16 bytes of nibbles.
struct Q4_1 {
  __device__ static float value(const Bytes& row, unsigned i) {
    const std::size_t block = std::size_t{i / 32} * 20;
    return static_cast<float>(nibble_at(row, block + 4, i % 32)) * f16_at(row, block) + f16_at(row, block + 2);
  }
};

/// d, 32 fifth bits, 16 bytes of nibbles.
struct Q5_0 {
  __device__ static float value(const Bytes& row, unsigned i) {
    const std::size_t block = std::size_t{i / 32} * 22;
    const unsigned quant = nibble_at(row, block + 6, i % 32) | fifth_bit_at(row, block + 2, i % 32);
    return (static_cast<float>(quant) - 16.0f) * f16_at(row, block);
  }
};

/// d, m, 32 fifth bits, 16 bytes of nibbles.
struct Q5_1 {
  __device__ static float value(const Bytes& row, unsigned i) {
    const std::size_t block = std::size_t{i / 32} * 24;
    const unsigned quant = nibble_at(row, block + 8, i % 32) | fifth_bit_at(row, block + 4, i % 32);
    return static_cast<float>(quant) * f16_at(row, block) + f16_at(row, block + 2);
  }
};

struct ScaleAndMinimum {
  float scale;
  float minimum;
};

/// Of sub-block s, 0 to 7, of a Q4_K or Q5_K block: d, dmin, then twelve bytes with eight 6-bit scales and eight 6-bit minima. The
/// first four lie in the low six bits of bytes s and s + 4, the others in the halves of byte s + 4, with their two high bits in the
/// high bits of the first ones.
__device__ inline ScaleAndMinimum scale_and_minimum_at(const Bytes& row, std::size_t block, unsigned s) {
  const float d = f16_at(row, block);
  const float dmin = f16_at(row, block + 2);
  const std::size_t packed = block + 4;
  if (s < 4) {
    return {d * static_cast<float>(byte_at(row, packed + s) & 63),
            dmin * static_cast<float>(byte_at(row, packed + s + 4) & 63)};
  }
  const unsigned low = byte_at(row, packed + s + 4);
  return {d * static_cast<float>((low & 15) | byte_at(row, packed + s - 4) >> 6 << 4),
          dmin * static_cast<float>(low >> 4 | byte_at(row, packed + s) >> 6 << 4)};
}

/// Value i of 256 in four groups of 32 bytes: 32 values in the low halves, the next 32 in the high halves.
__device__ inline unsigned sub_block_nibble_at(const Bytes& row, std::size_t nibbles, unsigned i) {
  return byte_at(row, nibbles + i / 64 * 32 + i % 32) >> (i / 32 % 2 * 4) & 15;
}

/// d, dmin, 12 bytes of scales, 128 bytes of nibbles.
struct Q4_K {
  __device__ static float value(const Bytes& row, unsigned i) {
    const std::size_t block = std::size_t{i / 256} * 144;
    const ScaleAndMinimum packed = scale_and_minimum_at(row, block, i % 256 / 32);
    return static_cast<float>(sub_block_nibble_at(row, block + 16, i % 256)) * packed.scale - packed.minimum;
  }
};

/// d, dmin, 12 bytes of scales, 32 bytes of fifth bits (bit s of byte j belongs to value 32 s + j), 128 bytes of nibbles.
struct Q5_K {
  __device__ static float value(const Bytes& row, unsigned i) {
    const std::size_t block = std::size_t{i / 256} * 176;
    const unsigned s = i % 256 / 32;
    const ScaleAndMinimum packed = scale_and_minimum_at(row, block, s);
    const unsigned fifth = (byte_at(row, block + 16 + i % 32) >> s & 1) << 4;
    return static_cast<float>(sub_block_nibble_at(row, block + 48, i % 256) | fifth) * packed.scale - packed.minimum;
  }
};

/// 128 bytes of nibbles, 64 bytes of four 2-bit parts, 16 signed scales, d: 128 values take 64 bytes of nibbles, the low halves first.
struct Q6_K {
  __device__ static float value(const Bytes& row, unsigned i) {
    const std::size_t block = std::size_t{i / 256} * 210;
    const unsigned group = i % 256 / 128;
    const unsigned quarter = i % 128 / 32;
    const unsigned nibble = byte_at(row, block + group * 64 + quarter % 2 * 32 + i % 32) >> (quarter / 2 * 4) & 15;
    const unsigned high = byte_at(row, block + 128 + group * 32 + i % 32) >> (quarter * 2) & 3;
    const float scale = f16_at(row, block + 208) * static_cast<float>(signed_byte_at(row, block + 192 + i % 256 / 16));
    return (static_cast<float>(nibble | high << 4) - 32.0f) * scale;
  }
};

/// Calls use(format) with the format of a type. Other types than these have been refused when the weights were loaded.
template <class Use>
void with_format(gguf::Type type, const Use& use) {
  switch (type) {
    case gguf::Type::F32: return use(F32{});
    case gguf::Type::F16: return use(F16{});
    case gguf::Type::BF16: return use(BF16{});
    case gguf::Type::Q8_0: return use(Q8_0{});
    case gguf::Type::Q4_0: return use(Q4_0{});
    case gguf::Type::Q4_1: return use(Q4_1{});
    case gguf::Type::Q5_0: return use(Q5_0{});
    case gguf::Type::Q5_1: return use(Q5_1{});
    case gguf::Type::Q4_K: return use(Q4_K{});
    case gguf::Type::Q5_K: return use(Q5_K{});
    case gguf::Type::Q6_K: return use(Q6_K{});
    default: return;
  }
}

}  // namespace plumbline::cuda
