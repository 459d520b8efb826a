#include "backend/cpu/dequantize.h"

#include "backend/cpu/dispatch.h"
#include "backend/cpu/ops.h"

namespace plumbline::cpu::PLUMBLINE_VARIANT {

void dequantize_row(gguf::Type type, const std::byte* row, std::uint32_t width, float* out) {
  with_block(type, [&]<class Block>(Block) {
    const std::size_t blocks = width / Block::kValues;
    const auto* block = reinterpret_cast<const Block*>(row);
    for (std::size_t b = 0; b < blocks; ++b) {
      float* at = out + b * Block::kValues;
      decode(block[b], [at](std::size_t i, const F32x16& values) { values.store(at + i * kLanes); });
    }
    // Only float types have rows that are no whole number of sixteens: their last block is filled up with zeros.
    const std::size_t rest = width % Block::kValues;
    if (rest != 0) {
      Block last{};
      std::memcpy(&last, block + blocks, rest * (sizeof(Block) / Block::kValues));
      float* at = out + blocks * Block::kValues;
      decode(last, [at](std::size_t i, const F32x16& values) { values.store(at + i * kLanes); });
    }
  });
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
