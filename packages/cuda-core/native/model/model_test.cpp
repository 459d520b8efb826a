#include "model/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "error.h"
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

  Bytes bytes() const {
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
    return writer.bytes();
  }
};

/// A model over a file in memory.
struct Loaded {
  explicit Loaded(const Parts& parts)
      : bytes(parts.bytes()),
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

Error error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorCode::internal, "");
}

void expect_refused(const Parts& parts, ErrorCode code, const std::string& message) {
  const Error error = error_of([&] { Loaded loaded(parts); });
  EXPECT_EQ(error.code(), code) << error.what();
  EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
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
      expect_refused(without, ErrorCode::invalid_gguf, "tensor " + name);
    }

    Parts longer = whole;
    longer.tensors[name].back() += 1;
    // The embedding's height is the vocabulary's size: it is the head that is too short then.
    const std::string blamed = name == "token_embd.weight" ? "output.weight" : name;
    expect_refused(longer, ErrorCode::invalid_gguf, "tensor " + blamed + " must have the shape [");
    Parts deeper = whole;
    deeper.tensors[name].resize(3, 1);
    deeper.tensors[name].back() = 2;
    expect_refused(deeper, ErrorCode::invalid_gguf, "tensor " + name + " must have the shape [");
  }
}

TEST(Model, NamesShapeFoundAndShapeExpected) {
  Parts parts;
  parts.tensors["blk.1.ffn_up.weight"] = {24, 41};
  const Error error = error_of([&] { Loaded loaded(parts); });
  EXPECT_STREQ(error.what(), "tensor blk.1.ffn_up.weight must have the shape [24, 40], but has [24, 41]");
  EXPECT_EQ(std::get<std::string>(error.fields().at("tensor")), "blk.1.ffn_up.weight");
  EXPECT_EQ(std::get<std::string>(error.fields().at("expected")), "[24, 40]");
  EXPECT_EQ(std::get<std::string>(error.fields().at("found")), "[24, 41]");
}

TEST(Model, RefusesATensorThatNobodyUses) {
  Parts parts;
  parts.tensors["blk.0.attn_q_norm.weight"] = {6};
  expect_refused(parts, ErrorCode::invalid_gguf, "tensor blk.0.attn_q_norm.weight belongs to no part");
  Parts layers;
  layers.sizes["block_count"] = 1;
  expect_refused(layers, ErrorCode::invalid_gguf, "tensor blk.1.");
}

TEST(Model, RefusesALayerCountBeyondTheFileWithoutReservingForIt) {
  Parts parts;
  parts.sizes["block_count"] = 2'147'483'647;
  expect_refused(parts, ErrorCode::invalid_gguf, "tensor blk.2.attn_norm.weight of shape [24] is missing");
}

TEST(Model, TakesBiasesAllTogetherOrNotAtAll) {
  Parts none("qwen2");
  none.tensors.erase("blk.1.attn_v.bias");
  expect_refused(none, ErrorCode::invalid_gguf, "tensor blk.1.attn_v.bias of shape [12] is missing");
  Parts some("llama");
  some.tensors["blk.0.attn_q.bias"] = {24};
  expect_refused(some, ErrorCode::invalid_gguf, "tensor blk.0.attn_k.bias of shape [12] is missing");
  Parts only_v("llama");
  only_v.tensors["blk.0.attn_v.bias"] = {12};
  expect_refused(only_v, ErrorCode::invalid_gguf, "tensor blk.0.attn_q.bias of shape [24] is missing");
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
  expect_refused(parts, ErrorCode::invalid_gguf, "tensor blk.0.attn_q.weight must have the shape [24, 32], but has [24, 40]");
}

TEST(Model, RefusesHyperparametersThatMakeNoSense) {
  const auto refused = [](const char* key, std::uint32_t size, const std::string& message) {
    Parts parts;
    parts.sizes[key] = size;
    expect_refused(parts, ErrorCode::invalid_gguf, message);
  };
  refused("embedding_length", 0, "llama.embedding_length must be from 1 to 2147483647, but is 0");
  refused("block_count", 3'000'000'000u, "llama.block_count must be from 1 to 2147483647");
  refused("attention.head_count_kv", 3, "llama.attention.head_count_kv must be a divisor of attention.head_count (4)");
  refused("attention.head_count", 5, "llama.attention.head_count");
  refused("rope.dimension_count", 5, "llama.rope.dimension_count must be even");
  refused("rope.dimension_count", 8, "at most the head's size (6), but is 8");
  refused("attention.key_length", 2'000'000'000, "all heads together");
  for (const float epsilon : {0.0f, -1.0f, NAN, INFINITY}) {
    Parts parts;
    parts.numbers["attention.layer_norm_rms_epsilon"] = epsilon;
    expect_refused(parts, ErrorCode::invalid_gguf, "llama.attention.layer_norm_rms_epsilon must be a positive number");
  }
  for (const char* const key : {"block_count", "context_length", "embedding_length", "feed_forward_length",
                                "attention.head_count"}) {
    Parts parts;
    parts.sizes.erase(key);
    expect_refused(parts, ErrorCode::invalid_gguf, std::string("llama.") + key);
  }
}

TEST(Model, NamesWhatItDoesNotSupport) {
  Parts architecture;
  architecture.architecture = "gemma7";
  expect_refused(architecture, ErrorCode::unsupported_architecture,
                 "architecture \"gemma7\" is not supported; supported are llama, qwen2");
  Parts scaling;
  scaling.texts["rope.scaling.type"] = "yarn";
  expect_refused(scaling, ErrorCode::unsupported_architecture, "llama.rope.scaling.type: \"yarn\" is not supported");
  Parts experts;
  experts.sizes["expert_count"] = 8;
  expect_refused(experts, ErrorCode::unsupported_architecture, "llama.expert_count: a mixture of experts");
  Parts window;
  window.sizes["attention.sliding_window"] = 16;
  expect_refused(window, ErrorCode::unsupported_architecture, "llama.attention.sliding_window: a window of 16 positions");
  Parts wide_window;
  wide_window.sizes["attention.sliding_window"] = 32;
  EXPECT_EQ(logits_of(wide_window), logits_of(Parts()));
  Parts capped;
  capped.numbers["final_logit_softcapping"] = 30;
  expect_refused(capped, ErrorCode::unsupported_architecture, "llama.final_logit_softcapping");
  Parts type;
  type.tensors["blk.0.ffn_down.weight"] = {256, 24};
  type.types["blk.0.ffn_down.weight"] = gguf::Type::Q2_K;
  expect_refused(type, ErrorCode::unsupported_tensor_type, "blk.0.ffn_down.weight");
  Parts norm;
  norm.types["blk.0.attn_norm.weight"] = gguf::Type::F16;
  expect_refused(norm, ErrorCode::unsupported_tensor_type, "tensor blk.0.attn_norm.weight is F16");
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
  expect_refused(unsaid, ErrorCode::invalid_gguf, "llama.rope.scaling.factor");
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
  expect_refused(zero, ErrorCode::invalid_gguf, "tensor rope_freqs.weight must hold positive factors");
  Parts qwen2("qwen2");
  qwen2.tensors["rope_freqs.weight"] = {3};
  expect_refused(qwen2, ErrorCode::invalid_gguf, "tensor rope_freqs.weight belongs to no part");
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
