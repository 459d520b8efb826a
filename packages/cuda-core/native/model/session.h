#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "model/kv_cache.h"
#include "model/model.h"
#include "model/observer.h"
#include "model/workspace.h"

namespace plumbline {

/// Of which of the tokens given the logits are computed.
enum class LogitRows { none, last, all };

struct ForwardOptions {
  LogitRows logits = LogitRows::last;
  Observer* observer = nullptr;
  /// Counted up once a layer, so that another thread can see that something moves.
  std::atomic<std::uint64_t>* progress = nullptr;
  /// Looked at before each layer: once it is set, the pass is given up.
  const std::atomic<bool>* cancelled = nullptr;
};

/// `context_length`, or CONTEXT_OVERFLOW if the model was not trained for as many positions.
std::uint32_t checked_context_length(const Hyperparameters& hyperparameters, std::uint32_t context_length);

/// One sequence of tokens on a model: its KV cache and the buffers of its forward pass.
///
/// A prompt is evaluated by calling `forward` with consecutive pieces of it; the logits are the same, to the bit in
/// `exact`, however it is cut. Then one token a call.
class Session {
 public:
  /// `context_length`: the most positions it can hold. Throws CONTEXT_OVERFLOW if the model was not trained for as many,
  /// OUT_OF_MEMORY if the cache does not fit.
  Session(Model& model, std::uint32_t context_length);

  std::uint32_t position() const { return position_; }
  std::uint32_t context_length() const { return kv_cache_.capacity(); }

  /// Forgets everything from `position` on; nothing if it lies beyond the end.
  void truncate(std::uint32_t position);

  /// Evaluates `tokens` at position(), position() + 1, … and returns the logits that were asked for, [rows,
  /// vocab_size], valid until the next call. A pass that was cancelled returns none, and the position has not moved; nor has
  /// it where this throws: CONTEXT_OVERFLOW, INVALID_REQUEST (a token id outside the vocabulary). `tokens` must not be empty.
  std::span<const float> forward(std::span<const std::uint32_t> tokens, const ForwardOptions& options = {});

  std::size_t kv_cache_bytes() const { return kv_cache_.bytes(); }
  std::size_t workspace_bytes() const { return workspace_.bytes() + logits_.capacity() * sizeof(float); }

 private:
  Model& model_;
  KvCache kv_cache_;
  Workspace workspace_;
  /// Where the backend's own memory is not the host's.
  std::vector<float> logits_;
  std::uint32_t position_ = 0;
};

}  // namespace plumbline
