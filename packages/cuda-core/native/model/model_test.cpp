#include "model/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "error.h"
#include "error_of.h"
#include "gguf_writer.h"
#include "model/session.h"

namespace plumbline {
namespace {

using test::Bytes;
using Shape = std::vector<std::uint64_t>;

/// The parts of a small model's file, each of which a test can change before it is written.
struct Parts {
  std::string architecture = "llama";
  std::map<std::string, std::uint32_t> sizes = {
      {"block_count", 2},          {"context_length", 32},       {"embedding_length", 24},
      {"feed_forward_length", 40}, {"attention.head_count", 4},  {"attention.head_count_kv", 2},
  };
  std::map<std::string, float> numbers = {{"attention.layer_norm_rms_epsilon", 1e-5f}};
  std::map<std::string, std::string> texts;
  std::map<std::string, Shape> tensors;
  std::map<std::string, gguf::Type> types;
  /// Fills a tensor with this instead of random values.
  std::map<std::string, float> filled;

  explicit Parts(const std::string& of = "llama", std::uint64_t head = 6) : architecture(of) {
    const std::uint64_t width = 24, hidden = 40, queries = 4 * head, keys = 2 * head;
    tensors = {{"token_embd.weight", {width, 10}}, {"output_norm.weight", {width}}, {"output.weight", {width, 10}}};
    for (const std::string layer : {"blk.0.", "blk.1."}) {
      tensors[layer + "attn_norm.weight"] = {width};
      tensors[layer + "attn_q.weight"] = {width, queries};
      tensors[layer + "attn_k.weight"] = {width, keys};
      tensors[layer + "attn_v.weight"] = {width, keys};
      tensors[layer + "attn_output.weight"] = {queries, width};
      tensors[layer + "ffn_norm.weight"] = {width};
      tensors[layer + "ffn_gate.weight"] = {width, hidden};
      tensors[layer + "ffn_up.weight"] = {width, hidden};
      tensors[layer + "ffn_down.weight"] = {hidden, width};
      if (of != "qwen2") continue;
      tensors[layer + "attn_q.bias"] = {queries};
      tensors[layer + "attn_k.bias"] = {keys};
      tensors[layer + "attn_v.bias"] = {keys};
    }
  }

  test::GgufWriter writer() const {
    test::GgufWriter writer;
    writer.text("general.architecture", architecture);
    for (const auto& [key, size] : sizes) writer.value(architecture + "." + key, gguf::ValueType::u32, size);
    for (const auto& [key, number] : numbers) writer.value(architecture + "." + key, gguf::ValueType::f32, number);
    for (const auto& [key, text] : texts) writer.text(architecture + "." + key, text);
    std::uint32_t state = 1;
    for (const auto& [name, shape] : tensors) {
      std::size_t count = 1;
      for (const std::uint64_t extent : shape) count *= extent;
      std::vector<float> values(count);
      for (float& value : values) {
        state = state * 1664525u + 1013904223u;
        value = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
      }
      if (const auto found = filled.find(name); found != filled.end()) std::ranges::fill(values, found->second);
      const auto type = types.find(name);
      const gguf::Type written = type == types.end() ? gguf::Type::F32 : type->second;
      const std::size_t bytes = count / gguf::info(written).block_elements * gguf::info(written).block_bytes;
      writer.tensor(name, shape, written, std::as_bytes(std::span(values)).first(bytes));
    }
    return writer;
  }
};

/// A model over a file in memory.
struct Loaded {
  explicit Loaded(const Parts& parts)
      : bytes(parts.writer().bytes()),
        model(Model::load(std::make_shared<const gguf::File>(gguf::File::parse(bytes)),
                          cpu::create_backend({.precision = Precision::exact, .threads = 2, .variant = ""}))) {}

  std::vector<float> logits(const std::vector<std::uint32_t>& tokens) {
    Session session(*model, 32);
    const auto last = session.forward(tokens);
    return {last.begin(), last.end()};
  }

  Bytes bytes;
  std::unique_ptr<Model> model;
};

std::vector<float> logits_of(const Parts& parts) { return Loaded(parts).logits({1, 2, 3, 4, 5}); }

using test::error_of;

constexpr const char* kEndOfPairs = "end of pairs";
constexpr const char* kEndOfTensors = "end of tensors";

/// What an error about a file says: all of it is held.
struct Refusal {
  ErrorCode code;
  std::string field;
  /// The part of the file (a mark of GgufWriter) that the offset points at, and how far behind its begin.
  std::string at;
  std::string expected;
  std::string found;
  std::uint64_t shift = 0;
};

void expect_refused(const Parts& parts, const Refusal& refusal) {
  SCOPED_TRACE(refusal.field + ": expected " + refusal.expected + ", found " + refusal.found);
  test::GgufWriter writer = parts.writer();
  writer.bytes();
  const Error error = error_of([&] { Loaded loaded(parts); });
  const auto text = [&](const char* name) { return std::get<std::string>(error.fields().at(name)); };
  std::uint64_t offset = refusal.shift;
  if (refusal.at == kEndOfPairs) {
    offset += writer.mark("tensor name " + parts.tensors.begin()->first);
  } else if (refusal.at == kEndOfTensors) {
    offset += writer.mark("tensor offset " + parts.tensors.rbegin()->first) + sizeof(std::uint64_t);
  } else {
    offset += writer.mark(refusal.at);
  }
  EXPECT_EQ(error.code(), refusal.code) << error.what();
  EXPECT_EQ(text("field"), refusal.field) << error.what();
  EXPECT_EQ(std::get<std::uint64_t>(error.fields().at("offset")), offset) << error.what();
  EXPECT_EQ(text("expected"), refusal.expected) << error.what();
  EXPECT_EQ(text("found"), refusal.found) << error.what();
  EXPECT_NE(std::string(error.what()).find("(offset " + std::to_string(offset) + ")"), std::string::npos) << error.what();
}

Refusal missing_tensor(const std::string& name, const std::string& shape) {
  return {ErrorCode::invalid_gguf, "tensor " + name, kEndOfTensors, shape, "nothing"};
}

Refusal unused_tensor(const std::string& name) {
  return {ErrorCode::invalid_gguf, "tensor " + name, "tensor name " + name, "only tensors of this architecture", "one more"};
}

Refusal wrong_shape(const std::string& name, const std::string& expected, const std::string& found) {
  return {ErrorCode::invalid_gguf, "shape of " + name, "tensor shape " + name, expected, found};
}

Refusal wrong_value(const std::string& key, const std::string& expected, const std::string& found) {
  return {ErrorCode::invalid_gguf, "metadata " + key, "value " + key, expected, found};
}

Refusal missing_key(const std::string& key) {
  return {ErrorCode::invalid_gguf, "metadata " + key, kEndOfPairs, "the key to be there", "nothing"};
}

Refusal unsupported(const std::string& key, const std::string& expected, const std::string& found) {
  return {ErrorCode::unsupported_architecture, "metadata " + key, "value " + key, expected, found};
}

std::string text_of(const Shape& shape) {
  std::string text;
  for (const std::uint64_t extent : shape) text += (text.empty() ? "[" : ", ") + std::to_string(extent);
  return text + "]";
}

class ModelOf : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Architectures, ModelOf, testing::Values("llama", "qwen2"));

TEST_P(ModelOf, Runs) {
  const std::vector<float> logits = logits_of(Parts(GetParam()));
  ASSERT_EQ(logits.size(), 10u);
  EXPECT_TRUE(std::ranges::all_of(logits, [](float x) { return std::isfinite(x); }));
}

TEST_P(ModelOf, NeedsEveryTensorWithItsShape) {
  const Parts whole(GetParam());
  for (const auto& [name, shape] : whole.tensors) {
    if (name != "output.weight") {  // without it the head is tied
      Parts without = whole;
      without.tensors.erase(name);
      // The vocabulary's size is the embedding's own.
      expect_refused(without, missing_tensor(name, name == "token_embd.weight" ? "the tensor to be there" : text_of(shape)));
    }

    Parts longer = whole;
    longer.tensors[name].back() += 1;
    // The embedding's height is the vocabulary's size: it is the head that is too short then.
    if (name == "token_embd.weight") {
      expect_refused(longer, wrong_shape("output.weight", "[24, 11]", "[24, 10]"));
    } else {
      expect_refused(longer, wrong_shape(name, text_of(shape), text_of(longer.tensors[name])));
    }
    Parts deeper = whole;
    deeper.tensors[name].resize(3, 1);
    deeper.tensors[name].back() = 2;
    expect_refused(deeper, wrong_shape(name, text_of(shape), text_of(deeper.tensors[name])));
  }
}

TEST(Model, SaysInASentenceWhatIsWrongAndWhere) {
  Parts parts;
  parts.tensors["blk.1.ffn_up.weight"] = {24, 41};
  test::GgufWriter writer = parts.writer();
  writer.bytes();
  EXPECT_EQ(std::string(error_of([&] { Loaded loaded(parts); }).what()),
            "tensor blk.1.ffn_up.weight must have the shape [24, 40], but has [24, 41] (offset " +
                std::to_string(writer.mark("tensor shape blk.1.ffn_up.weight")) + ")");
}

TEST(Model, RefusesATensorThatNobodyUses) {
  Parts parts;
  parts.tensors["blk.0.attn_q_norm.weight"] = {6};
  expect_refused(parts, unused_tensor("blk.0.attn_q_norm.weight"));
  Parts layers;
  layers.sizes["block_count"] = 1;
  expect_refused(layers, unused_tensor("blk.1.attn_k.weight"));
}

TEST(Model, RefusesALayerCountBeyondTheFileWithoutReservingForIt) {
  Parts parts;
  parts.sizes["block_count"] = 2'147'483'647;
  expect_refused(parts, missing_tensor("blk.2.attn_norm.weight", "[24]"));
}

TEST(Model, TakesBiasesAllTogetherOrNotAtAll) {
  Parts none("qwen2");
  none.tensors.erase("blk.1.attn_v.bias");
  expect_refused(none, missing_tensor("blk.1.attn_v.bias", "[12]"));
  Parts some("llama");
  some.tensors["blk.0.attn_q.bias"] = {24};
  expect_refused(some, missing_tensor("blk.0.attn_k.bias", "[12]"));
  Parts only_v("llama");
  only_v.tensors["blk.0.attn_v.bias"] = {12};
  expect_refused(only_v, missing_tensor("blk.0.attn_q.bias", "[24]"));
}

TEST(Model, BiasesCount) {
  Parts zero("qwen2");
  for (const char* const name : {"attn_q", "attn_k", "attn_v"}) {
    for (const char* const layer : {"blk.0.", "blk.1."}) zero.filled[std::string(layer) + name + ".bias"] = 0;
  }
  for (const char* const name : {"attn_q", "attn_k", "attn_v"}) {
    Parts one = zero;
    one.filled["blk.0." + std::string(name) + ".bias"] = 3;
    // A key's bias alone would move all scores alike, were it not for RoPE.
    EXPECT_NE(logits_of(one), logits_of(zero)) << name;
  }
}

TEST(Model, TiesTheHeadToTheEmbeddingWhereThereIsNone) {
  Parts tied;
  tied.tensors.erase("output.weight");
  Parts untied;
  // Random values are drawn in the order of the names: the same for both only where all are filled.
  float value = 0.1f;
  for (const auto& [name, shape] : untied.tensors) tied.filled[name] = untied.filled[name] = value += 0.01f;
  EXPECT_NE(logits_of(tied), logits_of(untied));
  untied.filled["output.weight"] = untied.filled["token_embd.weight"];
  EXPECT_EQ(logits_of(tied), logits_of(untied));
}

TEST(Model, HeadsNeedNotBeAsWideAsTheModelTogether) {
  Parts parts("llama", 10);
  parts.sizes["attention.key_length"] = 10;
  parts.sizes["attention.value_length"] = 10;
  EXPECT_EQ(logits_of(parts).size(), 10u);
  parts.sizes["attention.key_length"] = 8;
  expect_refused(parts, wrong_shape("blk.0.attn_q.weight", "[24, 32]", "[24, 40]"));
}

TEST(Model, RefusesHyperparametersThatMakeNoSense) {
  const auto refused = [](const std::string& key, std::uint32_t size, const std::string& expected) {
    Parts parts;
    parts.sizes[key] = size;
    expect_refused(parts, wrong_value("llama." + key, expected, std::to_string(size)));
  };
  const std::string size = "from 1 to 2147483647";
  refused("context_length", 0, size);
  refused("embedding_length", 0, size);
  refused("feed_forward_length", 0, size);
  refused("attention.head_count", 0, size);
  refused("attention.head_count_kv", 0, size);
  refused("attention.key_length", 0, size);
  refused("attention.value_length", 0, size);
  refused("rope.dimension_count", 0, size);
  refused("block_count", 3'000'000'000u, size);
  refused("attention.head_count_kv", 3, "a divisor of attention.head_count (4)");
  refused("rope.dimension_count", 5, "even and at most the head's size (6)");
  refused("rope.dimension_count", 8, "even and at most the head's size (6)");
  for (const std::uint32_t heads : {5u, 7u}) {
    Parts parts;
    parts.sizes["attention.head_count"] = heads;
    expect_refused(parts, wrong_value("llama.attention.head_count",
                                      "a divisor of embedding_length (24) where there is no attention.key_length",
                                      std::to_string(heads)));
  }
  Parts wide;
  wide.sizes["attention.key_length"] = 2'000'000'000;
  expect_refused(wide, wrong_value("llama.attention.head_count",
                                   "such that all heads together have at most 2147483647 values", "4"));
  // The key to blame is not there: the head's size is what RoPE turns, if nothing else is said.
  Parts odd;
  odd.sizes["attention.key_length"] = 5;
  expect_refused(odd, {ErrorCode::invalid_gguf, "metadata llama.rope.dimension_count", kEndOfPairs,
                       "even and at most the head's size (5)", "5"});
  for (const float epsilon : {0.0f, -1.0f, NAN, INFINITY}) {
    Parts parts;
    parts.numbers["attention.layer_norm_rms_epsilon"] = epsilon;
    expect_refused(parts, wrong_value("llama.attention.layer_norm_rms_epsilon", "a positive number", std::to_string(epsilon)));
  }
  for (const std::string key : {"block_count", "context_length", "embedding_length", "feed_forward_length",
                                "attention.head_count"}) {
    Parts parts;
    parts.sizes.erase(key);
    expect_refused(parts, missing_key("llama." + key));
    parts.texts[key] = "many";
    expect_refused(parts, wrong_value("llama." + key, "an integer of at least 0", "string"));
  }
  for (const std::string key : {"rope.scaling.type"}) {
    Parts parts;
    parts.sizes[key] = 1;
    expect_refused(parts, wrong_value("llama." + key, "a string", "u32"));
  }
}

TEST(Model, NamesWhatItDoesNotSupport) {
  Parts architecture;
  architecture.architecture = "gemma7";
  expect_refused(architecture, unsupported("general.architecture", "llama, qwen2", "gemma7"));
  Parts scaling;
  scaling.texts["rope.scaling.type"] = "yarn";
  expect_refused(scaling, unsupported("llama.rope.scaling.type", "linear or none", "\"yarn\""));
  Parts experts;
  experts.sizes["expert_count"] = 8;
  expect_refused(experts, unsupported("llama.expert_count", "0", "a mixture of experts"));
  Parts window;
  window.sizes["attention.sliding_window"] = 16;
  expect_refused(window,
                 unsupported("llama.attention.sliding_window", "0, or at least context_length", "a window of 16 positions"));
  Parts wide_window;
  wide_window.sizes["attention.sliding_window"] = 32;
  EXPECT_EQ(logits_of(wide_window), logits_of(Parts()));
  Parts capped;
  capped.numbers["final_logit_softcapping"] = 30;
  expect_refused(capped, unsupported("llama.final_logit_softcapping", "no such key", "scaling or capping of activations"));
  Parts type;
  type.tensors["blk.0.ffn_down.weight"] = {256, 24};
  type.types["blk.0.ffn_down.weight"] = gguf::Type::Q2_K;
  expect_refused(type, {ErrorCode::unsupported_tensor_type, "type of blk.0.ffn_down.weight",
                        "tensor type blk.0.ffn_down.weight", "F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q5_K Q6_K", "Q2_K"});
  for (const std::string name : {"blk.0.attn_norm.weight", "output_norm.weight", "blk.1.attn_q.bias"}) {
    Parts vector(name.ends_with("bias") ? "qwen2" : "llama");
    vector.types[name] = gguf::Type::F16;
    expect_refused(vector, {ErrorCode::unsupported_tensor_type, "type of " + name, "tensor type " + name, "F32", "F16"});
  }
}

TEST(Model, ScalesRopeAsTheFileSays) {
  const std::vector<float> plain = logits_of(Parts());
  const auto scaled = [](float factor) {
    Parts parts;
    parts.texts["rope.scaling.type"] = "linear";
    parts.numbers["rope.scaling.factor"] = factor;
    return logits_of(parts);
  };
  EXPECT_EQ(scaled(1), plain);
  EXPECT_NE(scaled(4), plain);
  Parts older;
  older.numbers["rope.scale_linear"] = 4;
  EXPECT_EQ(logits_of(older), scaled(4));
  Parts none;
  none.texts["rope.scaling.type"] = "none";
  none.numbers["rope.scaling.factor"] = 4;
  EXPECT_EQ(logits_of(none), plain);
  Parts unsaid;
  unsaid.texts["rope.scaling.type"] = "linear";
  expect_refused(unsaid, missing_key("llama.rope.scaling.factor"));
}

TEST(Model, DividesRopeFrequenciesByTheFilesOwnFactors) {
  const auto frequencies = [](std::optional<float> factor) {
    Parts parts;
    if (factor) {
      parts.tensors["rope_freqs.weight"] = {3};
      parts.filled["rope_freqs.weight"] = *factor;
    }
    return Loaded(parts).model->weights().rope_frequencies;
  };
  const std::vector<double> plain = frequencies(std::nullopt);
  ASSERT_EQ(plain.size(), 3u);
  EXPECT_DOUBLE_EQ(plain[1], std::pow(10'000.0, -1.0 / 3));
  EXPECT_EQ(frequencies(1.0f), plain);
  EXPECT_DOUBLE_EQ(frequencies(8.0f)[1], plain[1] / 8);

  Parts zero;
  zero.tensors["rope_freqs.weight"] = {3};
  zero.filled["rope_freqs.weight"] = 0;
  expect_refused(zero, {ErrorCode::invalid_gguf, "data of rope_freqs.weight[0]", "data rope_freqs.weight", "a positive number",
                        std::to_string(0.0f)});
  Parts qwen2("qwen2");
  qwen2.tensors["rope_freqs.weight"] = {3};
  expect_refused(qwen2, unused_tensor("rope_freqs.weight"));
}

TEST(Session, RefusesWhatDoesNotFitAndStaysWhereItWas) {
  Loaded loaded{Parts()};
  EXPECT_EQ(error_of([&] { Session(*loaded.model, 33); }).code(), ErrorCode::context_overflow);
  EXPECT_EQ(error_of([&] { Session(*loaded.model, 0); }).code(), ErrorCode::context_overflow);
  Session session(*loaded.model, 4);
  EXPECT_EQ(error_of([&] { session.forward({}); }).code(), ErrorCode::invalid_request);
  const std::vector<std::uint32_t> outside = {1, 10};
  EXPECT_EQ(error_of([&] { session.forward(outside); }).code(), ErrorCode::invalid_request);
  const std::vector<std::uint32_t> three = {1, 2, 3};
  session.forward(three);
  EXPECT_EQ(session.position(), 3u);
  EXPECT_EQ(error_of([&] { session.forward(three); }).code(), ErrorCode::context_overflow);
  EXPECT_EQ(session.position(), 3u);
  session.forward(std::span(three).first(1));
  EXPECT_EQ(error_of([&] { session.forward(std::span(three).first(1)); }).code(), ErrorCode::context_overflow);
}

TEST(Session, ForgetsWhatIsTruncated) {
  Loaded loaded{Parts()};
  Session session(*loaded.model, 32);
  const std::vector<std::uint32_t> first = {1, 2, 3, 4};
  const std::vector<std::uint32_t> other = {9, 8};
  session.forward(first);
  session.truncate(2);
  EXPECT_EQ(session.position(), 2u);
  const auto after = session.forward(other);
  EXPECT_EQ(std::vector<float>(after.begin(), after.end()), loaded.logits({1, 2, 9, 8}));
  session.truncate(100);
  EXPECT_EQ(session.position(), 4u);
}

TEST(Session, GivesLogitsOfTheLastTokenOfAllOrOfNone) {
  Loaded loaded{Parts()};
  const std::vector<std::uint32_t> tokens = {1, 2, 3};
  Session all(*loaded.model, 8);
  const auto rows = all.forward(tokens, {.logits = LogitRows::all});
  ASSERT_EQ(rows.size(), 30u);
  EXPECT_EQ(std::vector<float>(rows.begin() + 20, rows.end()), loaded.logits(tokens));
  Session pieces(*loaded.model, 8);
  EXPECT_TRUE(pieces.forward(std::span(tokens).first(2), {.logits = LogitRows::none}).empty());
  const auto last = pieces.forward(std::span(tokens).last(1));
  EXPECT_EQ(std::vector<float>(last.begin(), last.end()), loaded.logits(tokens));
}

TEST(Session, HoldsWhatWasSaidBefore) {
  Loaded loaded{Parts()};
  Backend& backend = loaded.model->backend();
  const Hyperparameters& hyperparameters = loaded.model->hyperparameters();
  EXPECT_EQ(KvCache(backend, hyperparameters, 7).bytes(), KvCache::bytes_of(backend, hyperparameters, 7));
  Workspace workspace(backend, hyperparameters);
  workspace.resize(5, 2);
  EXPECT_EQ(workspace.bytes(), Workspace::bytes_of(hyperparameters, 5, 2));
}

TEST(Session, GivesUpBetweenLayersWhenCancelledAndStaysWhereItWas) {
  /// Sets the flag at the given checkpoint.
  class Canceller final : public Observer {
   public:
    explicit Canceller(std::string at) : at_(std::move(at)) {}
    bool wants(Checkpoint) const override { return true; }
    void observe(const Observation& observation) override {
      last = name_of(observation.checkpoint, observation.layer);
      if (last == at_) cancelled = true;
    }
    std::atomic<bool> cancelled = false;
    std::string last;

   private:
    std::string at_;
  };
  Loaded loaded{Parts()};
  Session session(*loaded.model, 8);
  const std::vector<std::uint32_t> first = {1, 2};
  const std::vector<std::uint32_t> given_up = {9, 8, 7};
  const std::vector<std::uint32_t> next = {3, 4};
  session.forward(first);
  for (const auto& [at, last] : {std::pair("token_embd", "token_embd"), std::pair("blk.0.attn_k", "blk.0.output"),
                                 std::pair("blk.1.ffn_up", "blk.1.output")}) {
    Canceller canceller(at);
    EXPECT_TRUE(session.forward(given_up, {.observer = &canceller, .cancelled = &canceller.cancelled}).empty());
    EXPECT_EQ(canceller.last, last);
    EXPECT_EQ(session.position(), 2u);
  }
  const auto after = session.forward(next);
  EXPECT_EQ(std::vector<float>(after.begin(), after.end()), loaded.logits({1, 2, 3, 4}));
}

TEST(Session, CountsLayers) {
  Loaded loaded{Parts()};
  Session session(*loaded.model, 8);
  std::atomic<std::uint64_t> progress{5};
  const std::vector<std::uint32_t> tokens = {1, 2, 3};
  session.forward(tokens, {.progress = &progress});
  EXPECT_EQ(progress.load(), 7u);
}

}  // namespace
}  // namespace plumbline
