#include "model/tokenizer_metadata.h"

#include <algorithm>
#include <limits>
#include <string>

#include "gguf/refusal.h"

namespace plumbline {
namespace {

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kTokenTypes = "tokenizer.ggml.token_type";
constexpr std::string_view kScores = "tokenizer.ggml.scores";
constexpr std::string_view kMerges = "tokenizer.ggml.merges";
/// llama.cpp, llama_token_type.
constexpr std::int32_t kNormal = 1;
/// What old converters wrote for "none": -1 as a u32.
constexpr std::uint64_t kNoId = std::numeric_limits<std::uint32_t>::max();

/// Where a string of an array lies in the file, by its length.
std::uint64_t offset_of(const gguf::Entry& array, std::string_view text) {
  constexpr std::uint64_t kElementType = sizeof(std::uint32_t), kLength = sizeof(std::uint64_t);
  const auto* const first = reinterpret_cast<const char*>(std::get<gguf::ArrayView>(array.value).bytes.data());
  return array.offset + kElementType + kLength + static_cast<std::uint64_t>(text.data() - first) - kLength;
}

void require_one_each(const gguf::Metadata& metadata, std::string_view key, std::uint64_t count, std::uint64_t tokens) {
  if (count == tokens) return;
  gguf::throw_invalid({"length of", key}, metadata.offset_of(key) + sizeof(std::uint32_t),
                      std::to_string(tokens) + ", one for each token", std::to_string(count));
}

std::optional<std::uint64_t> token_id(const gguf::Metadata& metadata, std::string_view key, std::uint64_t tokens) {
  const auto id = metadata.unsigned_integer(key);
  if (!id || *id == kNoId) return std::nullopt;
  if (*id >= tokens) {
    gguf::throw_invalid({"metadata", key}, metadata.offset_of(key),
                        "a token id below " + std::to_string(tokens) + ", the vocabulary's size", std::to_string(*id));
  }
  return id;
}

/// `left right`. Neither is empty, and left may begin with a space itself.
void require_pairs(const gguf::Metadata& metadata, const gguf::StringArray& merges) {
  std::uint64_t index = 0;
  for (const std::string_view merge : merges) {
    const std::size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == merge.size()) {
      gguf::throw_invalid({"metadata", kMerges, index}, offset_of(*metadata.find(kMerges), merge),
                          "two tokens with a space between them", '"' + std::string(merge) + '"');
    }
    ++index;
  }
}

/// Text that two normal tokens stand for has two encodings, and which of them the model was trained on is not to be told: no
/// tokenizer that a file can be made from has such (a Hugging Face vocabulary is a map from texts; SentencePiece refuses a piece
/// that is defined twice). Others may share a text: bytes and unused tokens do in published files, and merging never leads to
/// special ones.
void require_distinct(const gguf::Metadata& metadata, const TokenizerMetadata& tokenizer) {
  // Sorted views, 16 bytes each: a set would take more than the file has.
  std::vector<std::string_view> normal;
  normal.reserve(tokenizer.tokens.size());
  std::size_t id = 0;
  for (const std::string_view token : tokenizer.tokens) {
    const bool is_normal = !tokenizer.token_types || (*tokenizer.token_types)[id] == kNormal;
    // No text is encoded as a token without one.
    if (is_normal && !token.empty()) normal.push_back(token);
    ++id;
  }
  std::ranges::sort(normal, [](std::string_view a, std::string_view b) {
    const int order = a.compare(b);
    return order != 0 ? order < 0 : a.data() < b.data();
  });
  const auto first = std::ranges::adjacent_find(normal);
  if (first == normal.end()) return;
  const auto id_of = [&](std::string_view wanted) {
    std::uint64_t at = 0;
    for (auto token = tokenizer.tokens.begin(); (*token).data() != wanted.data(); ++token) ++at;
    return at;
  };
  const std::string_view second = *std::next(first);
  gguf::throw_invalid({"metadata", kTokens, id_of(second)}, offset_of(*metadata.find(kTokens), second),
                      "a text that no other normal token has", "that of token " + std::to_string(id_of(*first)));
}

}  // namespace

TokenizerMetadata read_tokenizer_metadata(const gguf::Metadata& metadata) {
  const std::string_view model = metadata.require_text("tokenizer.ggml.model");
  const gguf::StringArray tokens = metadata.require_strings(kTokens);
  const auto id = [&](std::string_view key) { return token_id(metadata, key, tokens.size()); };
  const TokenizerMetadata tokenizer = {
      .model = model,
      .pre = metadata.text("tokenizer.ggml.pre"),
      .tokens = tokens,
      .scores = metadata.floats(kScores),
      .token_types = metadata.integers(kTokenTypes),
      .merges = metadata.strings(kMerges),
      .bos_id = id("tokenizer.ggml.bos_token_id"),
      .eos_id = id("tokenizer.ggml.eos_token_id"),
      .eot_id = id("tokenizer.ggml.eot_token_id"),
      .eom_id = id("tokenizer.ggml.eom_token_id"),
      .unknown_id = id("tokenizer.ggml.unknown_token_id"),
      .padding_id = id("tokenizer.ggml.padding_token_id"),
      .add_bos = metadata.boolean("tokenizer.ggml.add_bos_token"),
      .add_eos = metadata.boolean("tokenizer.ggml.add_eos_token"),
      .add_space_prefix = metadata.boolean("tokenizer.ggml.add_space_prefix"),
      .chat_template = metadata.text("tokenizer.chat_template"),
  };
  if (tokenizer.scores) require_one_each(metadata, kScores, tokenizer.scores->size(), tokens.size());
  if (tokenizer.token_types) require_one_each(metadata, kTokenTypes, tokenizer.token_types->size(), tokens.size());
  if (tokenizer.merges) require_pairs(metadata, *tokenizer.merges);
  require_distinct(metadata, tokenizer);
  return tokenizer;
}

}  // namespace plumbline
