#pragma once

#include <cstdint>
#include <string_view>

namespace plumbline::gguf {

/// Tensor types with the ids that ggml gives them (ggml.h, enum ggml_type). Ids 4, 5, 31-33 and 36-38 are types that
/// ggml has removed. All known types are here, so that a file's layout can be checked even if it cannot be run.
enum class Type : std::uint32_t {
  F32 = 0,
  F16 = 1,
  Q4_0 = 2,
  Q4_1 = 3,
  Q5_0 = 6,
  Q5_1 = 7,
  Q8_0 = 8,
  Q8_1 = 9,
  Q2_K = 10,
  Q3_K = 11,
  Q4_K = 12,
  Q5_K = 13,
  Q6_K = 14,
  Q8_K = 15,
  IQ2_XXS = 16,
  IQ2_XS = 17,
  IQ3_XXS = 18,
  IQ1_S = 19,
  IQ4_NL = 20,
  IQ3_S = 21,
  IQ2_S = 22,
  IQ4_XS = 23,
  I8 = 24,
  I16 = 25,
  I32 = 26,
  I64 = 27,
  F64 = 28,
  IQ1_M = 29,
  BF16 = 30,
  TQ1_0 = 34,
  TQ2_0 = 35,
  MXFP4 = 39,
};

struct TypeInfo {
  Type type;
  std::string_view name;
  /// Values in a block; a row (ne0) is a whole number of blocks.
  std::uint32_t block_elements;
  /// Bytes of a block.
  std::uint32_t block_bytes;
  /// Whether the engine computes with it.
  bool supported;
};

/// nullptr for an id that ggml does not have.
const TypeInfo* find_type(std::uint32_t id) noexcept;

const TypeInfo& info(Type type) noexcept;

}  // namespace plumbline::gguf
