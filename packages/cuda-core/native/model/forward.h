#pragma once

#include <cstdint>
#include <span>

#include "model/session.h"

namespace plumbline {

/// The graph: evaluates `tokens` at first_position and on, writes their keys and values to the cache, and returns the
/// logits that options.logits asks for, where the backend has them. Checks nothing: that is
/// Session's part.
Matrix forward(const Model& model, KvCache& kv_cache, Workspace& workspace, std::span<const std::uint32_t> tokens,
               std::uint32_t first_position, const ForwardOptions& options);

}  // namespace plumbline
