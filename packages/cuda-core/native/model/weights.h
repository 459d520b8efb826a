#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "backend/backend.h"
#include "gguf/file.h"
#include "model/hyperparameters.h"

namespace plumbline {

struct LayerWeights {
  Weight attn_norm;                             ///< [embedding_length]
  Weight attn_q, attn_k, attn_v;                ///< [embedding_length, heads * key_length], kv_heads * key_length, …
  std::optional<Weight> attn_q_bias, attn_k_bias, attn_v_bias;
  Weight attn_output;                           ///< [heads * value_length, embedding_length]
  Weight ffn_norm;                              ///< [embedding_length]
  Weight ffn_gate, ffn_up;                      ///< [embedding_length, feed_forward_length]
  Weight ffn_down;                              ///< [feed_forward_length, embedding_length]
};

/// Every tensor of the model under its GGUF name. Shapes in ggml order: inputs first.
struct Weights {
  Weight token_embd;              ///< [embedding_length, vocab_size]
  std::vector<LayerWeights> layers;
  Weight output_norm;             ///< [embedding_length]
  std::optional<Weight> output;   ///< absent where the head is tied to token_embd
  /// RoPE's angle per position for each pair of a head, in float64: theta^(-2i / rope_dimension_count), scaled.
  std::vector<double> rope_frequencies;

  /// What the backend holds of them in memory, in its own layout or in the file's map.
  std::uint64_t bytes = 0;

  const Weight& head() const { return output ? *output : token_embd; }
};

/// Loads every tensor that the architecture asks for, and refuses a file that holds one more (INVALID_GGUF with the
/// tensor's name, the shape found and the shape expected). CHECKSUM_MISMATCH where one did not reach the device as it was read.
Weights load_weights(const gguf::File& file, const Hyperparameters& hyperparameters, Backend& backend,
                     const std::function<void(double fraction)>& on_progress);

}  // namespace plumbline
