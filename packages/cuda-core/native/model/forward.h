#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "model/session.h"

namespace plumbline {

/// The graph: evaluates `tokens` at first_position and on, writes their keys and values to the cache, and returns the
/// logits that options.logits asks for, where the backend has them; nothing when it was cancelled on the way, which leaves keys and
/// values of some layers behind. Checks nothing: that is Session's part.
std::optional<Matrix> forward(const Model& model, KvCache& kv_cache, Workspace& workspace,
                              std::span<const std::uint32_t> tokens, std::uint32_t first_position,
                              const ForwardOptions& options);

}  // namespace plumbline
