// A backend that makes one mistake, for tests of what finds mistakes. Never part of the addon that is shipped: only
// the target plumbline_planted links this file. PLUMBLINE_PLANTED_MISTAKE=NAME[@LAYER][:prefill|decode] says which, by the names of
// packages/parity/src/mistakes; every layer and both phases unless told.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "error.h"
#include "generation/device.h"

namespace plumbline {
namespace {

constexpr std::array kMistakes = {
    "double-bos",
    "embedding-row-off-by-one",
    "norm-epsilon",
    "bias-missing",
    "key-value-weights-swapped",
    "gate-up-weights-swapped",
    "weight-of-other-layer",
    "rope-pairing",
    "rope-offset",
    "rope-base",
    "attention-scale-missing",
    "attention-scale-doubled",
    "mask-off-by-one-early",
    "kv-stale",
    "gate-up-swapped",
    "branch-missing",
};

constexpr float kWrongEpsilon = 1e-2F;
constexpr double kWrongTheta = 10'000;
constexpr double kOtherWrongTheta = 500'000;

struct Planting {
  std::string mistake;
  std::optional<std::uint32_t> layer;
  std::optional<bool> in_decode;
};

Error refusal(const std::string& text) {
  std::string names;
  for (const char* name : kMistakes) names += std::string(names.empty() ? "" : ", ") + name;
  return Error(ErrorCode::invalid_option, "PLUMBLINE_PLANTED_MISTAKE is '" + text +
                                              "', must be NAME[@LAYER][:prefill|decode], NAME one of " + names);
}

Planting parse(const std::string& text) {
  Planting planting;
  std::string_view rest = text;
  if (const auto colon = rest.find(':'); colon != rest.npos) {
    const auto phase = rest.substr(colon + 1);
    if (phase != "prefill" && phase != "decode") throw refusal(text);
    planting.in_decode = phase == "decode";
    rest = rest.substr(0, colon);
  }
  if (const auto at = rest.find('@'); at != rest.npos) {
    const auto digits = rest.substr(at + 1);
    std::uint32_t layer = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), layer);
    if (error != std::errc() || end != digits.data() + digits.size()) throw refusal(text);
    planting.layer = layer;
    rest = rest.substr(0, at);
  }
  planting.mistake = rest;
  for (const char* name : kMistakes) {
    if (planting.mistake == name) return planting;
  }
  throw refusal(text);
}

/// Hands every op on to the backend within; knows layers by counting ops, as forward.cpp calls them.
class PlantedBackend final : public Backend {
 public:
  PlantedBackend(std::unique_ptr<Backend> inner, Planting planting)
      : inner_(std::move(inner)), planting_(std::move(planting)) {}

  std::string name() const override { return inner_->name() + ", wrong on purpose: " + planting_.mistake; }
  unsigned threads() const override { return inner_->threads(); }
  Precision precision() const override { return inner_->precision(); }
  std::string_view activation_type(gguf::Type weights) const override { return inner_->activation_type(weights); }
  Memory allocate(std::size_t bytes) override { return inner_->allocate(bytes); }
  Weight load_weight(gguf::Type type, std::uint32_t width, std::uint32_t rows,
                     std::span<const std::byte> bytes, WeightUse use) override {
    return inner_->load_weight(type, width, rows, bytes, use);
  }
  std::optional<std::size_t> finish_loading() override { return inner_->finish_loading(); }
  void copy_in(std::span<const float> in, const Matrix& out) override { inner_->copy_in(in, out); }
  void copy_out(const Matrix& in, std::span<float> out) override { inner_->copy_out(in, out); }
  std::size_t kv_layer_bytes(const HeadShape& shape, std::uint32_t capacity) const override {
    return inner_->kv_layer_bytes(shape, capacity);
  }

  void embedding(const Weight& table, std::span<const std::uint32_t> tokens, const Matrix& out) override {
    norms_ = linears_ = ropes_ = attentions_ = swiglus_ = additions_ = 0;
    decoding_ = tokens.size() == 1 && evaluated_;
    evaluated_ = true;
    std::vector<std::uint32_t> ids(tokens.begin(), tokens.end());
    if (wrong("double-bos")) {
      ids.insert(ids.begin(), decoding_ ? last_token_ : tokens.front());
      ids.pop_back();
    }
    if (wrong("embedding-row-off-by-one")) {
      for (std::uint32_t& id : ids) id = (id + 1) % table.rows;
    }
    last_token_ = tokens.back();
    inner_->embedding(table, ids, out);
  }

  void rms_norm(const Matrix& in, const Weight& gain, float epsilon, const Matrix& out) override {
    inner_->rms_norm(in, gain, wrong("norm-epsilon", norms_ / 2) ? kWrongEpsilon : epsilon, out);
    ++norms_;
  }

  void linear(const Matrix& in, std::span<const Projection> projections) override {
    const std::uint32_t layer = linears_ / 4;  // q, k and v; output; gate and up; down
    std::vector<Projection> changed(projections.begin(), projections.end());
    if (changed.size() == 3) {
      if (wrong("bias-missing", layer)) {
        for (Projection& projection : changed) projection.bias = nullptr;
      }
      if (wrong("key-value-weights-swapped", layer)) swap_weights(changed[1], changed[2]);
      const Projection own = projections[0];
      if (wrong("weight-of-other-layer", layer) && layer > 0) swap_weights(changed[0], queries_before_);
      queries_before_ = own;
    }
    if (changed.size() == 2 && wrong("gate-up-weights-swapped", layer)) swap_weights(changed[0], changed[1]);
    inner_->linear(in, changed);
    ++linears_;
  }

  void rope_angles(std::span<const double> frequencies, std::uint32_t first_position, const Matrix& out) override {
    std::vector<double> changed(frequencies.begin(), frequencies.end());
    if (wrong("rope-base") && changed.size() > 1) {
      // frequency i is theta^(-2i/d), so that of pair 1 tells theta.
      const double logarithm = -std::log(changed[1]) * static_cast<double>(changed.size());
      const double theta = std::abs(logarithm - std::log(kWrongTheta)) < 1e-6 ? kOtherWrongTheta : kWrongTheta;
      for (double& frequency : changed) frequency = std::pow(frequency, std::log(theta) / logarithm);
    }
    inner_->rope_angles(changed, first_position + (wrong("rope-offset") ? 1 : 0), out);
  }

  void rope(const Matrix& heads, std::uint32_t head_length, RopePairing pairing, const Matrix& angles) override {
    const bool flipped = wrong("rope-pairing", ropes_ / 2);
    const auto other = pairing == RopePairing::halves ? RopePairing::neighbours : RopePairing::halves;
    inner_->rope(heads, head_length, flipped ? other : pairing, angles);
    ++ropes_;
  }

  void store_kv(const Matrix& keys, const Matrix& values, const KvLayer& layer, std::uint32_t first_position) override {
    if (wrong("kv-stale", attentions_)) {
      late_ = {keys, values, layer, first_position};
    } else {
      inner_->store_kv(keys, values, layer, first_position);
    }
  }

  void attention(const Matrix& queries, const KvLayer& layer, std::uint32_t first_position, float scale,
                 const Matrix& out) override {
    if (wrong("attention-scale-missing", attentions_)) scale = 1;
    if (wrong("attention-scale-doubled", attentions_)) scale *= scale;
    if (wrong("mask-off-by-one-early", attentions_) && first_position > 0) --first_position;
    inner_->attention(queries, layer, first_position, scale, out);
    if (late_) inner_->store_kv(late_->keys, late_->values, late_->layer, late_->first_position);
    late_.reset();
    ++attentions_;
  }

  void swiglu(const Matrix& gate, const Matrix& up, const Matrix& out) override {
    const bool swapped = wrong("gate-up-swapped", swiglus_);
    inner_->swiglu(swapped ? up : gate, swapped ? gate : up, out);
    ++swiglus_;
  }

  void add(const Matrix& in, const Matrix& residual) override {
    if (additions_ % 2 == 1 || !wrong("branch-missing", additions_ / 2)) inner_->add(in, residual);
    ++additions_;
  }

 private:
  struct LateStore {
    Matrix keys;
    Matrix values;
    KvLayer layer;
    std::uint32_t first_position;
  };

  static void swap_weights(Projection& a, Projection& b) {
    std::swap(a.weight, b.weight);
    std::swap(a.bias, b.bias);
  }

  bool wrong(std::string_view mistake, std::optional<std::uint32_t> layer = {}) const {
    return planting_.mistake == mistake && (!planting_.in_decode || *planting_.in_decode == decoding_) &&
           (!planting_.layer || planting_.layer == layer);
  }

  /// All memory is the backend's within.
  void release(void*, std::size_t) noexcept override {}

  std::unique_ptr<Backend> inner_;
  Planting planting_;
  bool evaluated_ = false;
  bool decoding_ = false;
  std::uint32_t last_token_ = 0;
  std::uint32_t norms_ = 0;
  std::uint32_t linears_ = 0;
  std::uint32_t ropes_ = 0;
  std::uint32_t attentions_ = 0;
  std::uint32_t swiglus_ = 0;
  std::uint32_t additions_ = 0;
  Projection queries_before_;
  std::optional<LateStore> late_;
};

}  // namespace

std::unique_ptr<Backend> create_backend(const Device&, Precision precision, unsigned threads) {
  auto backend = cpu::create_backend({.precision = precision, .threads = threads, .variant = {}});
  const char* mistake = std::getenv("PLUMBLINE_PLANTED_MISTAKE");
  if (mistake == nullptr || *mistake == '\0') return backend;
  return std::make_unique<PlantedBackend>(std::move(backend), parse(mistake));
}

}  // namespace plumbline
