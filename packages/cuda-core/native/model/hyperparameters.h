#pragma once

#include <cstdint>

#include "backend/backend.h"
#include "gguf/file.h"
#include "model/traits.h"

namespace plumbline {

/// The sizes and constants of one model, read from its metadata and checked against each other.
struct Hyperparameters {
  const ArchitectureTraits* traits = nullptr;
  std::uint32_t layers = 0;
  std::uint32_t trained_context_length = 0;
  std::uint32_t embedding_length = 0;
  std::uint32_t feed_forward_length = 0;
  std::uint32_t vocab_size = 0;
  HeadShape heads;
  float rms_epsilon = 0;
  double rope_theta = 0;
  /// Values of a head that RoPE turns; even, at most heads.key_length.
  std::uint32_t rope_dimension_count = 0;
  /// Positions are divided by it (scaling type "linear"); 1 without scaling.
  double rope_linear_factor = 1;
};

/// Throws UNSUPPORTED_ARCHITECTURE (including what would change the graph: experts, a sliding window, another kind of
/// RoPE scaling), INVALID_GGUF for a value that is missing or makes no sense.
Hyperparameters read_hyperparameters(const gguf::File& file);

}  // namespace plumbline
