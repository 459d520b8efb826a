#include "model/observer.h"

#include <array>

namespace plumbline {
namespace {

constexpr std::array<std::string_view, 18> kNames = {
    "token_embd", "attn_norm",   "attn_q",    "attn_k",   "attn_v",   "attn_q_rope", "attn_k_rope", "attn_kqv", "attn_output",
    "ffn_input",  "ffn_norm",    "ffn_gate",  "ffn_up",   "ffn_act",  "ffn_down",    "output",      "output_norm",
    "logits",
};

}  // namespace

std::string_view name_of(Checkpoint checkpoint) { return kNames[static_cast<std::size_t>(checkpoint)]; }

std::string name_of(Checkpoint checkpoint, std::optional<std::uint32_t> layer) {
  const std::string name(name_of(checkpoint));
  return layer ? "blk." + std::to_string(*layer) + "." + name : name;
}

}  // namespace plumbline
