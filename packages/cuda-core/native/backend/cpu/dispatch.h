#pragma once

#include "backend/cpu/dequantize.h"
#include "gguf/types.h"

namespace plumbline::cpu::PLUMBLINE_VARIANT {

/// Calls use(block) with a block of the C++ type that belongs to `type`, for its type alone. Other types than these have
/// been refused when the weights were loaded.
template <class Use>
PLUMBLINE_INLINE void with_block(gguf::Type type, const Use& use) {
  switch (type) {
    case gguf::Type::F32: return use(BlockF32{});
    case gguf::Type::F16: return use(BlockF16{});
    case gguf::Type::BF16: return use(BlockBF16{});
    case gguf::Type::Q8_0: return use(BlockQ8_0{});
    case gguf::Type::Q4_0: return use(BlockQ4_0{});
    case gguf::Type::Q4_1: return use(BlockQ4_1{});
    case gguf::Type::Q5_0: return use(BlockQ5_0{});
    case gguf::Type::Q5_1: return use(BlockQ5_1{});
    case gguf::Type::Q4_K: return use(BlockQ4_K{});
    case gguf::Type::Q5_K: return use(BlockQ5_K{});
    case gguf::Type::Q6_K: return use(BlockQ6_K{});
    default: return;
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
