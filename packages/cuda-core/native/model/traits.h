#pragma once

#include <string_view>

#include "backend/backend.h"
#include "gguf/metadata.h"

namespace plumbline {

enum class Presence { absent, optional, required };

/// What one architecture's graph has that another's has not. Hyperparameters are read from the file; this is what the
/// file does not say.
struct ArchitectureTraits {
  /// As in `general.architecture`, which is also the prefix of the hyperparameters' keys.
  std::string_view name;
  RopePairing rope_pairing;
  /// attn_q.bias, attn_k.bias, attn_v.bias: all three or none.
  Presence qkv_bias;
  /// rope_freqs.weight, the divisors of Llama 3's scaled RoPE.
  Presence rope_factors;
};

/// Throws UNSUPPORTED_ARCHITECTURE naming the file's architecture and those that are supported.
const ArchitectureTraits& find_traits(const gguf::Metadata& metadata);

}  // namespace plumbline
