#include "model/hyperparameters.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "gguf/refusal.h"

namespace plumbline {
namespace {

/// What a size may be at most: products of two fit 64 bits.
constexpr std::uint64_t kMaxSize = std::numeric_limits<std::int32_t>::max();

/// Reads `<architecture>.<key>`, and says what is wrong with it under that name.
class Reader {
 public:
  Reader(const gguf::Metadata& metadata, std::string_view architecture)
      : metadata_(metadata), prefix_(std::string(architecture) + ".") {}

  [[noreturn]] void refuse(std::string_view key, const std::string& expected, const std::string& found) const {
    const std::string whole = prefix_ + std::string(key);
    gguf::refuse(ErrorCode::invalid_gguf, whole + " must be " + expected + ", but is " + found, {"metadata", whole},
                 metadata_.offset_of(whole), expected, found);
  }

  [[noreturn]] void unsupported(std::string_view key, const std::string& expected, const std::string& found) const {
    const std::string whole = prefix_ + std::string(key);
    gguf::refuse(ErrorCode::unsupported_architecture, whole + ": " + found + " is not supported", {"metadata", whole},
                 metadata_.offset_of(whole), expected, found);
  }

  /// From 1 to kMaxSize.
  std::uint32_t size(std::string_view key) const {
    return in_range(key, metadata_.require_unsigned_integer(prefix_ + std::string(key)));
  }
  std::uint32_t size(std::string_view key, std::uint32_t otherwise) const {
    const auto value = metadata_.unsigned_integer(prefix_ + std::string(key));
    return value ? in_range(key, *value) : otherwise;
  }

  double positive(std::string_view key, double value) const {
    if (!(value > 0) || !std::isfinite(value)) refuse(key, "a positive number", std::to_string(value));
    return value;
  }
  double require_positive(std::string_view key) const {
    return positive(key, metadata_.require_number(prefix_ + std::string(key)));
  }
  double positive_or(std::string_view key, double otherwise) const {
    return positive(key, metadata_.number(prefix_ + std::string(key)).value_or(otherwise));
  }

  std::uint64_t count(std::string_view key) const {
    return metadata_.unsigned_integer(prefix_ + std::string(key)).value_or(0);
  }
  bool flag(std::string_view key) const { return metadata_.boolean(prefix_ + std::string(key)).value_or(false); }
  std::string_view text(std::string_view key, std::string_view otherwise) const {
    return metadata_.text(prefix_ + std::string(key)).value_or(otherwise);
  }
  bool has(std::string_view key) const { return metadata_.find(prefix_ + std::string(key)) != nullptr; }

 private:
  std::uint32_t in_range(std::string_view key, std::uint64_t value) const {
    if (value < 1 || value > kMaxSize) {
      refuse(key, "from 1 to 2147483647", std::to_string(value));
    }
    return static_cast<std::uint32_t>(value);
  }

  const gguf::Metadata& metadata_;
  std::string prefix_;
};

/// What a file may ask for and this graph does not do. Running it without would give wrong answers.
void refuse_unsupported(const Reader& read, std::uint32_t trained_context_length) {
  if (read.count("expert_count") != 0) read.unsupported("expert_count", "0", "a mixture of experts");
  if (const auto window = read.count("attention.sliding_window"); window != 0 && window < trained_context_length) {
    read.unsupported("attention.sliding_window", "0, or at least context_length", "a window of " + std::to_string(window) + " positions");
  }
  for (const std::string_view key : {"attn_logit_softcapping", "final_logit_softcapping", "logit_scale",
                                     "attention.scale", "embedding_scale", "residual_scale"}) {
    if (read.has(key)) read.unsupported(key, "no such key", "scaling or capping of activations");
  }
  if (read.has("attention.causal") && !read.flag("attention.causal")) {
    read.unsupported("attention.causal", "true", "attention that is not causal");
  }
}

double rope_linear_factor(const Reader& read) {
  const std::string_view type = read.text("rope.scaling.type", "");
  if (type == "linear") return read.require_positive("rope.scaling.factor");
  if (type != "" && type != "none") read.unsupported("rope.scaling.type", "linear or none", '"' + std::string(type) + '"');
  // The older key, from before there were types.
  return type == "none" ? 1.0 : read.positive_or("rope.scale_linear", 1.0);
}

}  // namespace

Hyperparameters read_hyperparameters(const gguf::File& file) {
  const gguf::Metadata& metadata = file.metadata();
  Hyperparameters out;
  out.traits = &find_traits(metadata);
  const Reader read(metadata, out.traits->name);

  out.layers = read.size("block_count");
  out.trained_context_length = read.size("context_length");
  out.embedding_length = read.size("embedding_length");
  out.feed_forward_length = read.size("feed_forward_length");
  out.rms_epsilon = static_cast<float>(read.require_positive("attention.layer_norm_rms_epsilon"));
  out.rope_theta = read.positive_or("rope.freq_base", 10'000.0);

  HeadShape& heads = out.heads;
  heads.heads = read.size("attention.head_count");
  heads.kv_heads = read.size("attention.head_count_kv", heads.heads);
  if (!read.has("attention.key_length") && out.embedding_length % heads.heads != 0) {
    read.refuse("attention.head_count",
                "a divisor of embedding_length (" + std::to_string(out.embedding_length) +
                    ") where there is no attention.key_length",
                std::to_string(heads.heads));
  }
  if (heads.heads % heads.kv_heads != 0) {
    read.refuse("attention.head_count_kv", "a divisor of attention.head_count (" + std::to_string(heads.heads) + ")",
                std::to_string(heads.kv_heads));
  }
  heads.key_length = read.size("attention.key_length", out.embedding_length / heads.heads);
  heads.value_length = read.size("attention.value_length", heads.key_length);

  if (std::uint64_t{heads.heads} * std::max(heads.key_length, heads.value_length) > kMaxSize) {
    read.refuse("attention.head_count", "such that all heads together have at most 2147483647 values",
                std::to_string(heads.heads));
  }

  out.rope_dimension_count = read.size("rope.dimension_count", heads.key_length);
  if (out.rope_dimension_count % 2 != 0 || out.rope_dimension_count > heads.key_length) {
    read.refuse("rope.dimension_count", "even and at most the head's size (" + std::to_string(heads.key_length) + ")",
                std::to_string(out.rope_dimension_count));
  }
  refuse_unsupported(read, out.trained_context_length);
  out.rope_linear_factor = rope_linear_factor(read);

  // The embedding's own height is what counts: not every file has a vocab_size, and the tokenizer may be shorter.
  constexpr std::string_view kEmbedding = "token_embd.weight";
  const gguf::TensorInfo* embedding = file.find_tensor(kEmbedding);
  if (embedding == nullptr) {
    gguf::refuse(ErrorCode::invalid_gguf, "tensor token_embd.weight is missing", {"tensor", kEmbedding},
                 file.tensors_end_offset(), "the tensor to be there", "nothing");
  }
  if (embedding->shape[1] > kMaxSize) {
    gguf::throw_invalid({"shape of", kEmbedding, 1}, embedding->shape_offset() + sizeof(std::uint64_t),
                        "at most " + std::to_string(kMaxSize) + ", for a vocabulary", std::to_string(embedding->shape[1]));
  }
  out.vocab_size = static_cast<std::uint32_t>(embedding->shape[1]);
  return out;
}

}  // namespace plumbline
