#include "model/weights.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_set>

#include "error.h"
#include "gguf/refusal.h"

namespace plumbline {
namespace {

std::string text_of(std::span<const std::uint64_t> shape) {
  std::string out;
  for (const std::uint64_t extent : shape) out.append(out.empty() ? "[" : ", ").append(std::to_string(extent));
  return out.append("]");
}

/// Takes tensors out of the file one by one, and knows in the end which ones nobody took.
class Loader {
 public:
  Loader(const gguf::File& file, Backend& backend, const std::function<void(double)>& on_progress)
      : file_(file), backend_(backend), on_progress_(on_progress) {
    for (const gguf::TensorInfo& tensor : file.tensors()) total_bytes_ += tensor.bytes;
  }

  bool has(const std::string& name) const { return file_.find_tensor(name) != nullptr; }
  /// Of the data of a tensor that is there.
  std::uint64_t offset_of(const std::string& name) const { return file_.find_tensor(name)->offset; }

  /// A vector where rows is 0.
  Weight take(const std::string& name, std::uint32_t width, std::uint32_t rows, WeightUse use = WeightUse::matrix) {
    const gguf::TensorInfo& tensor = find(name, width, rows);
    const auto bytes = file_.tensor_bytes(tensor);
    Weight weight = backend_.load_weight(tensor.type, width, rows == 0 ? 1 : rows, bytes, use);
    loaded_.push_back(name);
    if (weight.packed != nullptr) file_.give_back(tensor);
    held_bytes_ += weight.packed != nullptr ? weight.packed_bytes : tensor.bytes;
    loaded_bytes_ += tensor.bytes;
    if (on_progress_) on_progress_(static_cast<double>(loaded_bytes_) / static_cast<double>(total_bytes_));
    return weight;
  }

  /// Norms and biases: kernels take them as float32 alone, and files have them so.
  Weight take_vector(const std::string& name, std::uint32_t width) {
    require_f32(find(name, width, 0));
    return take(name, width, 0, WeightUse::vector);
  }

  /// Copies a vector to the host.
  std::vector<float> take_values(const std::string& name, std::uint32_t width) {
    const gguf::TensorInfo& tensor = find(name, width, 0);
    require_f32(tensor);
    std::vector<float> out(width);
    const auto bytes = file_.tensor_bytes(tensor);
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(out.data()));
    return out;
  }

  /// Throws CHECKSUM_MISMATCH for a tensor that did not arrive as it was read.
  void finish() {
    const auto damaged = backend_.finish_loading();
    if (!damaged) return;
    throw Error(ErrorCode::checksum_mismatch,
                "tensor " + loaded_[*damaged] + " did not reach the device as it was read: its checksums differ; load it again, " +
                    "and if that does not help, look for faults in the device's memory",
                {{"tensor", loaded_[*damaged]}});
  }

  std::uint64_t held_bytes() const { return held_bytes_; }

  void refuse_leftovers() const {
    for (const gguf::TensorInfo& tensor : file_.tensors()) {
      if (taken_.contains(tensor.name)) continue;
      gguf::refuse(ErrorCode::invalid_gguf,
                   "tensor " + std::string(tensor.name) + " belongs to no part of this architecture: running the model " +
                       "without it would give wrong answers",
                   {"tensor", tensor.name}, tensor.info_offset, "only tensors of this architecture", "one more");
    }
  }

 private:
  const gguf::TensorInfo& find(const std::string& name, std::uint32_t width, std::uint32_t rows) {
    const std::uint64_t expected[] = {width, rows};
    const std::string expected_text = text_of(std::span(expected, rows == 0 ? 1 : 2));
    const gguf::TensorInfo* tensor = file_.find_tensor(name);
    if (tensor == nullptr) {
      gguf::refuse(ErrorCode::invalid_gguf, "tensor " + name + " of shape " + expected_text + " is missing", {"tensor", name},
                   file_.tensors_end_offset(), expected_text, "nothing");
    }
    const auto& shape = tensor->shape;
    if (shape[0] != width || shape[1] != (rows == 0 ? 1 : rows) || shape[2] != 1 || shape[3] != 1) {
      const std::string found = text_of(std::span(shape).first(tensor->rank));
      gguf::refuse(ErrorCode::invalid_gguf,
                   "tensor " + name + " must have the shape " + expected_text + ", but has " + found, {"shape of", name},
                   tensor->shape_offset(), expected_text, found);
    }
    taken_.insert(tensor->name);
    return *tensor;
  }

  static void require_f32(const gguf::TensorInfo& tensor) {
    if (tensor.type == gguf::Type::F32) return;
    const std::string type(gguf::info(tensor.type).name);
    gguf::refuse(ErrorCode::unsupported_tensor_type,
                 "tensor " + std::string(tensor.name) + " is " + type + "; norms, biases and factors must be F32",
                 {"type of", tensor.name}, tensor.type_offset(), "F32", type);
  }

  const gguf::File& file_;
  Backend& backend_;
  const std::function<void(double)>& on_progress_;
  std::unordered_set<std::string_view> taken_;
  /// In the order of load_weight.
  std::vector<std::string> loaded_;
  std::uint64_t total_bytes_ = 0;
  std::uint64_t loaded_bytes_ = 0;
  std::uint64_t held_bytes_ = 0;
};

LayerWeights load_layer(Loader& loader, const Hyperparameters& hyperparameters, std::uint32_t index) {
  const std::string prefix = "blk." + std::to_string(index) + ".";
  const HeadShape& heads = hyperparameters.heads;
  const std::uint32_t width = hyperparameters.embedding_length;
  const std::uint32_t hidden = hyperparameters.feed_forward_length;
  const std::uint32_t query_width = heads.heads * heads.key_length;
  const std::uint32_t key_width = heads.kv_heads * heads.key_length;
  const std::uint32_t value_width = heads.kv_heads * heads.value_length;
  // Optional biases come together, or the file is damaged.
  bool has_bias = hyperparameters.traits->qkv_bias == Presence::required;
  if (hyperparameters.traits->qkv_bias == Presence::optional) {
    for (const char* const name : {"attn_q.bias", "attn_k.bias", "attn_v.bias"}) has_bias |= loader.has(prefix + name);
  }

  LayerWeights layer;
  layer.attn_norm = loader.take_vector(prefix + "attn_norm.weight", width);
  layer.attn_q = loader.take(prefix + "attn_q.weight", width, query_width);
  layer.attn_k = loader.take(prefix + "attn_k.weight", width, key_width);
  layer.attn_v = loader.take(prefix + "attn_v.weight", width, value_width);
  if (has_bias) {
    layer.attn_q_bias = loader.take_vector(prefix + "attn_q.bias", query_width);
    layer.attn_k_bias = loader.take_vector(prefix + "attn_k.bias", key_width);
    layer.attn_v_bias = loader.take_vector(prefix + "attn_v.bias", value_width);
  }
  layer.attn_output = loader.take(prefix + "attn_output.weight", heads.heads * heads.value_length, width);
  layer.ffn_norm = loader.take_vector(prefix + "ffn_norm.weight", width);
  layer.ffn_gate = loader.take(prefix + "ffn_gate.weight", width, hidden);
  layer.ffn_up = loader.take(prefix + "ffn_up.weight", width, hidden);
  layer.ffn_down = loader.take(prefix + "ffn_down.weight", hidden, width);
  return layer;
}

/// theta^(-2i / n) for pair i, divided by the linear factor and by Llama 3's factor for that pair, if there are any.
std::vector<double> rope_frequencies(Loader& loader, const Hyperparameters& hyperparameters) {
  const std::uint32_t pairs = hyperparameters.rope_dimension_count / 2;
  std::vector<double> out(pairs);
  for (std::uint32_t i = 0; i < pairs; ++i) {
    const double exponent = -2.0 * i / hyperparameters.rope_dimension_count;
    out[i] = std::pow(hyperparameters.rope_theta, exponent) / hyperparameters.rope_linear_factor;
  }
  const std::string name = "rope_freqs.weight";
  if (hyperparameters.traits->rope_factors == Presence::absent || !loader.has(name)) return out;
  const std::vector<float> factors = loader.take_values(name, pairs);
  for (std::uint32_t i = 0; i < pairs; ++i) {
    if (!(factors[i] > 0)) {
      gguf::refuse(ErrorCode::invalid_gguf, "tensor " + name + " must hold positive factors", {"data of", name, i},
                   loader.offset_of(name) + i * sizeof(float), "a positive number", std::to_string(factors[i]));
    }
    out[i] /= static_cast<double>(factors[i]);
  }
  return out;
}

}  // namespace

Weights load_weights(const gguf::File& file, const Hyperparameters& hyperparameters, Backend& backend,
                     const std::function<void(double fraction)>& on_progress) {
  gguf::require_supported_types(file);
  const std::uint32_t width = hyperparameters.embedding_length;
  Loader loader(file, backend, on_progress);
  Weights out;
  out.token_embd = loader.take("token_embd.weight", width, hyperparameters.vocab_size,
                               loader.has("output.weight") ? WeightUse::table : WeightUse::table_and_matrix);
  for (std::uint32_t i = 0; i < hyperparameters.layers; ++i) {
    out.layers.push_back(load_layer(loader, hyperparameters, i));
  }
  out.output_norm = loader.take_vector("output_norm.weight", width);
  if (loader.has("output.weight")) out.output = loader.take("output.weight", width, hyperparameters.vocab_size);
  out.rope_frequencies = rope_frequencies(loader, hyperparameters);
  loader.refuse_leftovers();
  loader.finish();
  out.bytes = loader.held_bytes();
  return out;
}

}  // namespace plumbline
