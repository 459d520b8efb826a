#include "model/forward.h"

#include <array>
#include <cmath>
#include <vector>

namespace plumbline {
namespace {

/// Shows checkpoints to the observer, if there is one that wants them.
class Viewer {
 public:
  Viewer(Backend& backend, Observer* observer, std::uint32_t first_position)
      : backend_(backend), observer_(observer), first_position_(first_position) {}

  void show(Checkpoint checkpoint, const Matrix& matrix, std::optional<std::uint32_t> layer = {}) {
    show_at(first_position_, checkpoint, matrix, layer);
  }

  void show_at(std::uint32_t position, Checkpoint checkpoint, const Matrix& matrix,
               std::optional<std::uint32_t> layer = {}) {
    if (observer_ == nullptr || !observer_->wants(checkpoint)) return;
    values_.resize(std::size_t{matrix.rows} * matrix.width);
    backend_.copy_out(matrix, values_);
    observer_->observe({checkpoint, layer, position, matrix.rows, matrix.width, values_});
  }

 private:
  Backend& backend_;
  Observer* observer_;
  std::uint32_t first_position_;
  std::vector<float> values_;
};

const Weight* pointer(const std::optional<Weight>& weight) { return weight ? &*weight : nullptr; }

}  // namespace

std::optional<Matrix> forward(const Model& model, KvCache& kv_cache, Workspace& workspace,
                              std::span<const std::uint32_t> tokens, std::uint32_t first_position,
                              const ForwardOptions& options) {
  const Hyperparameters& h = model.hyperparameters();
  const Weights& weights = model.weights();
  const RopePairing pairing = h.traits->rope_pairing;
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(h.heads.key_length)));
  const auto rows = static_cast<std::uint32_t>(tokens.size());
  Backend& backend = model.backend();
  Viewer viewer(backend, options.observer, first_position);
  const auto cancelled = [&] {
    return options.cancelled != nullptr && options.cancelled->load(std::memory_order_relaxed);
  };

  const std::uint32_t logits_rows = options.logits == LogitRows::all    ? rows
                                    : options.logits == LogitRows::last ? 1
                                                                        : 0;
  workspace.resize(rows, logits_rows);
  const Workspace& w = workspace;

  backend.embedding(weights.token_embd, tokens, w.residual);
  viewer.show(Checkpoint::token_embd, w.residual);
  backend.rope_angles(weights.rope_frequencies, first_position, w.angles);

  for (std::uint32_t i = 0; i < h.layers; ++i) {
    if (cancelled()) return std::nullopt;
    const LayerWeights& layer = weights.layers[i];

    backend.rms_norm(w.residual, layer.attn_norm, h.rms_epsilon, w.normed);
    viewer.show(Checkpoint::attn_norm, w.normed, i);
    backend.linear(w.normed, std::array{Projection{&layer.attn_q, pointer(layer.attn_q_bias), w.queries},
                                        Projection{&layer.attn_k, pointer(layer.attn_k_bias), w.keys},
                                        Projection{&layer.attn_v, pointer(layer.attn_v_bias), w.values}});
    viewer.show(Checkpoint::attn_q, w.queries, i);
    viewer.show(Checkpoint::attn_k, w.keys, i);
    viewer.show(Checkpoint::attn_v, w.values, i);
    backend.rope(w.queries, h.heads.key_length, pairing, w.angles);
    backend.rope(w.keys, h.heads.key_length, pairing, w.angles);
    viewer.show(Checkpoint::attn_q_rope, w.queries, i);
    viewer.show(Checkpoint::attn_k_rope, w.keys, i);
    backend.store_kv(w.keys, w.values, kv_cache.layer(i), first_position);
    backend.attention(w.queries, kv_cache.layer(i), first_position, scale, w.attended);
    viewer.show(Checkpoint::attn_kqv, w.attended, i);
    backend.linear(w.attended, std::array{Projection{&layer.attn_output, nullptr, w.projected}});
    viewer.show(Checkpoint::attn_output, w.projected, i);
    backend.add(w.projected, w.residual);
    viewer.show(Checkpoint::ffn_input, w.residual, i);

    backend.rms_norm(w.residual, layer.ffn_norm, h.rms_epsilon, w.normed);
    viewer.show(Checkpoint::ffn_norm, w.normed, i);
    backend.linear(w.normed, std::array{Projection{&layer.ffn_gate, nullptr, w.gate},
                                        Projection{&layer.ffn_up, nullptr, w.up}});
    viewer.show(Checkpoint::ffn_gate, w.gate, i);
    viewer.show(Checkpoint::ffn_up, w.up, i);
    backend.swiglu(w.gate, w.up, w.gate);
    viewer.show(Checkpoint::ffn_act, w.gate, i);
    backend.linear(w.gate, std::array{Projection{&layer.ffn_down, nullptr, w.projected}});
    viewer.show(Checkpoint::ffn_down, w.projected, i);
    backend.add(w.projected, w.residual);
    viewer.show(Checkpoint::output, w.residual, i);

    if (options.progress != nullptr) options.progress->fetch_add(1, std::memory_order_relaxed);
  }

  if (cancelled()) return std::nullopt;
  backend.rms_norm(w.residual, weights.output_norm, h.rms_epsilon, w.normed);
  viewer.show(Checkpoint::output_norm, w.normed);
  if (logits_rows > 0) {
    backend.linear(w.normed.last_rows(logits_rows), std::array{Projection{&weights.head(), nullptr, w.logits}});
    viewer.show_at(first_position + rows - logits_rows, Checkpoint::logits, w.logits);
  }
  return w.logits;
}

}  // namespace plumbline
