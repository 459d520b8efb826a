#include "model/tokenizer_metadata.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "assets.h"
#include "error.h"
#include "gguf/file.h"
#include "gguf_writer.h"

namespace plumbline {
namespace {

using gguf::ValueType;
using test::GgufWriter;
using Texts = std::vector<std::string>;

/// Writes one key of the file that is read, instead of what a sound file has there.
struct Change {
  std::string key;
  /// Empty: the key is left out.
  std::function<void(GgufWriter&, const std::string& key)> write;
};

GgufWriter vocabulary_file(const Change& change) {
  GgufWriter writer;
  const auto id = [](std::uint32_t value) {
    return [value](GgufWriter& to, const std::string& key) { to.value(key, ValueType::u32, value); };
  };
  const auto flag = [](GgufWriter& to, const std::string& key) { to.value(key, ValueType::boolean, std::uint8_t{1}); };
  const std::vector<Change> sound = {
      {"tokenizer.ggml.model", [](GgufWriter& to, const std::string& key) { to.text(key, "gpt2"); }},
      {"tokenizer.ggml.pre", [](GgufWriter& to, const std::string& key) { to.text(key, "qwen2"); }},
      {"tokenizer.ggml.tokens", [](GgufWriter& to, const std::string& key) { to.strings(key, Texts{"a", "b", "ab", "<s>", "", ""}); }},
      {"tokenizer.ggml.scores", [](GgufWriter& to, const std::string& key) { to.numbers(key, ValueType::f32, std::vector<float>(6)); }},
      {"tokenizer.ggml.token_type", [](GgufWriter& to, const std::string& key) { to.numbers(key, ValueType::i32, std::vector<std::int32_t>{1, 1, 1, 3, 1, 1}); }},
      {"tokenizer.ggml.merges", [](GgufWriter& to, const std::string& key) { to.strings(key, Texts{"a b", "  c"}); }},
      {"tokenizer.ggml.bos_token_id", id(5)},
      // Old converters wrote -1 for "none".
      {"tokenizer.ggml.eos_token_id", id(0xFFFF'FFFFu)},
      {"tokenizer.ggml.eot_token_id", id(3)},
      {"tokenizer.ggml.eom_token_id", id(3)},
      {"tokenizer.ggml.unknown_token_id", id(0)},
      {"tokenizer.ggml.padding_token_id", id(0)},
      {"tokenizer.ggml.add_bos_token", flag},
      {"tokenizer.ggml.add_eos_token", flag},
      {"tokenizer.ggml.add_space_prefix", flag},
      {"tokenizer.chat_template", [](GgufWriter& to, const std::string& key) { to.text(key, "{{ messages }}"); }},
  };
  for (const auto& [key, write] : sound) {
    if (key != change.key) write(writer, key);
    else if (change.write) change.write(writer, key);
  }
  writer.value("last", ValueType::u8, std::uint8_t{0});
  return writer;
}

struct Damage {
  const char* name;
  Change change;
  const char* field;
  /// A mark of GgufWriter, and how far behind its begin the offset points.
  const char* at;
  std::uint64_t shift;
  const char* expected;
  const char* found;
};

void PrintTo(const Damage& damage, std::ostream* stream) { *stream << damage.name; }

auto number(std::uint32_t value) {
  return [value](GgufWriter& to, const std::string& key) { to.value(key, ValueType::u32, value); };
}
auto numbers(std::vector<std::uint32_t> values) {
  return [values](GgufWriter& to, const std::string& key) { to.numbers(key, ValueType::u32, values); };
}
auto floats(std::size_t count) {
  return [count](GgufWriter& to, const std::string& key) { to.numbers(key, ValueType::f32, std::vector<float>(count)); };
}
auto text(const char* value) {
  return [value](GgufWriter& to, const std::string& key) { to.text(key, value); };
}
auto texts(const Texts& values) {
  return [values](GgufWriter& to, const std::string& key) { to.strings(key, values); };
}

std::vector<Damage> damages() {
  const char* const model = "tokenizer.ggml.model";
  const char* const tokens = "tokenizer.ggml.tokens";
  const char* const types = "tokenizer.ggml.token_type";
  const char* const scores = "tokenizer.ggml.scores";
  const char* const merges = "tokenizer.ggml.merges";
  const char* const pair = "two tokens with a space between them";
  return {
      {"no_model", {model, {}}, "metadata tokenizer.ggml.model", "end", 0, "the key to be there", "nothing"},
      {"no_tokens", {tokens, {}}, "metadata tokenizer.ggml.tokens", "end", 0, "the key to be there", "nothing"},
      {"model_a_number", {model, number(1)}, "metadata tokenizer.ggml.model", "value tokenizer.ggml.model", 0, "a string", "u32"},
      {"pre_a_number", {"tokenizer.ggml.pre", number(1)}, "metadata tokenizer.ggml.pre", "value tokenizer.ggml.pre", 0, "a string", "u32"},
      // An array's value begins with the type of its elements.
      {"tokens_numbers", {tokens, numbers({1, 2})}, "metadata tokenizer.ggml.tokens", "element type tokenizer.ggml.tokens", 0, "an array of strings", "an array of 2 u32"},
      {"tokens_a_text", {tokens, text("a")}, "metadata tokenizer.ggml.tokens", "value tokenizer.ggml.tokens", 0, "an array of strings", "string"},
      {"merges_numbers", {merges, numbers({1})}, "metadata tokenizer.ggml.merges", "element type tokenizer.ggml.merges", 0, "an array of strings", "an array of 1 u32"},
      {"types_floats", {types, floats(6)}, "metadata tokenizer.ggml.token_type", "element type tokenizer.ggml.token_type", 0, "an array of i32, or of u32 below 2^31", "an array of 6 f32"},
      {"types_beyond_i32", {types, numbers({1, 1, 1, 1, 1, 0x8000'0000u})}, "metadata tokenizer.ggml.token_type", "element type tokenizer.ggml.token_type", 0, "an array of i32, or of u32 below 2^31", "an array of 6 u32"},
      {"scores_integers", {scores, numbers({1})}, "metadata tokenizer.ggml.scores", "element type tokenizer.ggml.scores", 0, "an array of f32", "an array of 1 u32"},
      {"flag_a_number", {"tokenizer.ggml.add_bos_token", number(1)}, "metadata tokenizer.ggml.add_bos_token", "value tokenizer.ggml.add_bos_token", 0, "a bool", "u32"},
      {"chat_template_a_number", {"tokenizer.chat_template", number(1)}, "metadata tokenizer.chat_template", "value tokenizer.chat_template", 0, "a string", "u32"},
      {"id_a_text", {"tokenizer.ggml.eos_token_id", text("</s>")}, "metadata tokenizer.ggml.eos_token_id", "value tokenizer.ggml.eos_token_id", 0, "an integer of at least 0", "string"},
      {"bos_outside", {"tokenizer.ggml.bos_token_id", number(6)}, "metadata tokenizer.ggml.bos_token_id", "value tokenizer.ggml.bos_token_id", 0, "a token id below 6, the vocabulary's size", "6"},
      {"eos_outside", {"tokenizer.ggml.eos_token_id", number(99)}, "metadata tokenizer.ggml.eos_token_id", "value tokenizer.ggml.eos_token_id", 0, "a token id below 6, the vocabulary's size", "99"},
      {"eot_outside", {"tokenizer.ggml.eot_token_id", number(6)}, "metadata tokenizer.ggml.eot_token_id", "value tokenizer.ggml.eot_token_id", 0, "a token id below 6, the vocabulary's size", "6"},
      {"eom_outside", {"tokenizer.ggml.eom_token_id", number(6)}, "metadata tokenizer.ggml.eom_token_id", "value tokenizer.ggml.eom_token_id", 0, "a token id below 6, the vocabulary's size", "6"},
      {"unknown_outside", {"tokenizer.ggml.unknown_token_id", number(6)}, "metadata tokenizer.ggml.unknown_token_id", "value tokenizer.ggml.unknown_token_id", 0, "a token id below 6, the vocabulary's size", "6"},
      {"padding_outside", {"tokenizer.ggml.padding_token_id", number(6)}, "metadata tokenizer.ggml.padding_token_id", "value tokenizer.ggml.padding_token_id", 0, "a token id below 6, the vocabulary's size", "6"},
      {"too_few_types", {types, numbers({1})}, "length of tokenizer.ggml.token_type", "length tokenizer.ggml.token_type", 0, "6, one for each token", "1"},
      {"too_many_scores", {scores, floats(7)}, "length of tokenizer.ggml.scores", "length tokenizer.ggml.scores", 0, "6, one for each token", "7"},
      // The second merge begins behind the first: 8 bytes of length and 3 of text.
      {"merge_without_a_space", {merges, texts({"a b", "ab"})}, "metadata tokenizer.ggml.merges[1]", "value tokenizer.ggml.merges", 11, pair, "\"ab\""},
      {"merge_without_a_left", {merges, texts({" b"})}, "metadata tokenizer.ggml.merges[0]", "value tokenizer.ggml.merges", 0, pair, "\" b\""},
      {"merge_without_a_right", {merges, texts({"a "})}, "metadata tokenizer.ggml.merges[0]", "value tokenizer.ggml.merges", 0, pair, "\"a \""},
      {"merge_empty", {merges, texts({""})}, "metadata tokenizer.ggml.merges[0]", "value tokenizer.ggml.merges", 0, pair, "\"\""},
      {"token_twice", {tokens, texts({"a", "b", "a", "<s>", "", ""})}, "metadata tokenizer.ggml.tokens[2]", "value tokenizer.ggml.tokens", 18, "a text that no other normal token has", "that of token 0"},
      {"all_tokens_alike", {tokens, texts(Texts(6, "x"))}, "metadata tokenizer.ggml.tokens[1]", "value tokenizer.ggml.tokens", 9, "a text that no other normal token has", "that of token 0"},
  };
}

class DamagedTokenizer : public testing::TestWithParam<Damage> {};
INSTANTIATE_TEST_SUITE_P(Kinds, DamagedTokenizer, testing::ValuesIn(damages()),
                         [](const auto& parameter) { return std::string(parameter.param.name); });

TEST_P(DamagedTokenizer, IsATypedErrorThatNamesFieldOffsetAndExpectation) {
  const Damage& damage = GetParam();
  GgufWriter writer = vocabulary_file(damage.change);
  const test::Bytes bytes = writer.bytes();
  const gguf::File file = gguf::File::parse(bytes);
  try {
    read_tokenizer_metadata(file.metadata());
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    const auto text = [&](const char* name) { return std::get<std::string>(error.fields().at(name)); };
    const std::uint64_t at = std::string_view(damage.at) == "end" ? bytes.size() : writer.mark(damage.at);
    EXPECT_EQ(error.code(), ErrorCode::invalid_gguf) << error.what();
    EXPECT_EQ(text("field"), damage.field);
    EXPECT_EQ(std::get<std::uint64_t>(error.fields().at("offset")), at + damage.shift);
    EXPECT_EQ(text("expected"), damage.expected);
    EXPECT_EQ(text("found"), damage.found);
  }
}

TEST(TokenizerMetadata, IsWhatTheFileSays) {
  GgufWriter writer = vocabulary_file({});
  const test::Bytes bytes = writer.bytes();
  const gguf::File file = gguf::File::parse(bytes);
  const TokenizerMetadata tokenizer = read_tokenizer_metadata(file.metadata());
  EXPECT_EQ(tokenizer.model, "gpt2");
  EXPECT_EQ(tokenizer.tokens.size(), 6u);
  EXPECT_EQ(tokenizer.merges->size(), 2u);
  EXPECT_EQ(tokenizer.bos_id, 5u);
  EXPECT_EQ(tokenizer.eos_id, std::nullopt);
  EXPECT_EQ(tokenizer.add_bos, true);
  EXPECT_EQ(tokenizer.chat_template, "{{ messages }}");
}

TEST(TokenizerMetadata, LetsTokensShareATextThatMergingDoesNotLeadTo) {
  const auto read_with_types = [](std::vector<std::int32_t> types) {
    GgufWriter writer;
    writer.text("tokenizer.ggml.model", "llama").strings("tokenizer.ggml.tokens", Texts{"a", "a"});
    writer.numbers("tokenizer.ggml.token_type", ValueType::i32, types);
    const test::Bytes bytes = writer.bytes();
    const gguf::File file = gguf::File::parse(bytes);
    read_tokenizer_metadata(file.metadata());
  };
  EXPECT_THROW(read_with_types({1, 1}), Error);
  for (const std::int32_t other : {2, 3, 4, 5, 6}) EXPECT_NO_THROW(read_with_types({1, other}));
}

/// What people publish, odd tokens and all.
class PublishedTokenizer : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Files, PublishedTokenizer,
                         testing::Values("tokenizer-vectors/ggml-vocab-gpt-2.gguf", "tokenizer-vectors/ggml-vocab-llama-bpe.gguf",
                                         "tokenizer-vectors/ggml-vocab-llama-spm.gguf", "tokenizer-vectors/ggml-vocab-phi-3.gguf",
                                         "tokenizer-vectors/ggml-vocab-qwen2.gguf", "models/random-llama-q6_k.gguf",
                                         "models/random-qwen2-q4_k_m.gguf", "models/smollm2-135m-instruct-q4_1.gguf",
                                         "models/stories15M-q8_0.gguf", "models/stories260K-f32.gguf"));

TEST_P(PublishedTokenizer, IsRead) {
  PLUMBLINE_NEEDS_ASSET(path, GetParam());
  const gguf::File file = gguf::File::open(path);
  EXPECT_GT(read_tokenizer_metadata(file.metadata()).tokens.size(), 0u);
}

}  // namespace
}  // namespace plumbline
