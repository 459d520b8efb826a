#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace plumbline {

/// The places where a forward pass can be looked at, in the order of computation. Named as in GGUF.
enum class Checkpoint : std::uint8_t {
  token_embd,
  attn_norm,
  attn_q,
  attn_k,
  attn_v,
  attn_q_rope,
  attn_k_rope,
  attn_kqv,  ///< attention's weighted values, before the output projection
  attn_output,
  ffn_input,  ///< the residual stream after attention
  ffn_norm,
  ffn_gate,
  ffn_up,
  ffn_act,  ///< silu(gate) * up
  ffn_down,
  output,  ///< the residual stream after the layer
  output_norm,
  logits,
};

/// "attn_q", without the layer.
std::string_view name_of(Checkpoint checkpoint);

/// "blk.3.attn_q", or "logits" where there is no layer.
std::string name_of(Checkpoint checkpoint, std::optional<std::uint32_t> layer);

/// What one checkpoint held over a range of positions. `values` is dense [rows, width], on the host, and valid only
/// during the call.
struct Observation {
  Checkpoint checkpoint;
  std::optional<std::uint32_t> layer;
  std::uint32_t first_position;
  std::uint32_t rows;
  std::uint32_t width;
  std::span<const float> values;
};

/// Looks on while the forward pass runs. The kernels that run are the same with and without one: values are copied from
/// the backend's own buffers, between two ops.
class Observer {
 public:
  virtual ~Observer() = default;
  /// Whether `observe` is to be called for it; a copy is made only then.
  virtual bool wants(Checkpoint checkpoint) const = 0;
  virtual void observe(const Observation& observation) = 0;
};

}  // namespace plumbline
