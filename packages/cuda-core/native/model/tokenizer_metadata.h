#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "gguf/metadata.h"

namespace plumbline {

/// A file's tokenizer.* keys, checked as far as they can be without knowing how to tokenize: that is the worker's part. Views
/// live as long as the file.
struct TokenizerMetadata {
  std::string_view model;
  std::optional<std::string_view> pre;
  gguf::StringArray tokens;
  std::optional<std::vector<float>> scores;
  std::optional<std::vector<std::int32_t>> token_types;
  std::optional<gguf::StringArray> merges;
  /// Inside the vocabulary.
  std::optional<std::uint64_t> bos_id, eos_id, eot_id, eom_id, unknown_id, padding_id;
  std::optional<bool> add_bos, add_eos, add_space_prefix;
  std::optional<std::string_view> chat_template;
};

/// Throws INVALID_GGUF (`field`, `offset`, `expected`, `found`) for a key that is missing or of another type than it must be,
/// an id outside the vocabulary, a merge that is no pair, two normal tokens of the same text.
TokenizerMetadata read_tokenizer_metadata(const gguf::Metadata& metadata);

}  // namespace plumbline
