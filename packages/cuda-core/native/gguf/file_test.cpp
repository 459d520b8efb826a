#include "gguf/file.h"

#include <chrono>

#include <gtest/gtest.h>

#include "assets.h"
#include "error.h"
#include "gguf_writer.h"

namespace plumbline::gguf {
namespace {

using test::Bytes;
using test::GgufWriter;

Bytes bytes_of(const std::vector<float>& values) {
  const auto view = std::as_bytes(std::span(values));
  return {view.begin(), view.end()};
}

ErrorCode code_of(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

class BothVersions : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(GgufFile, BothVersions, testing::Values(2u, 3u));

TEST_P(BothVersions, HoldWhatWasWritten) {
  GgufWriter writer(GetParam());
  writer.text("general.architecture", "qwen2")
      .value("u8", ValueType::u8, std::uint8_t{255})
      .value("i8", ValueType::i8, std::int8_t{-1})
      .value("u16", ValueType::u16, std::uint16_t{65535})
      .value("i16", ValueType::i16, std::int16_t{-2})
      .value("u32", ValueType::u32, std::uint32_t{4294967295u})
      .value("i32", ValueType::i32, std::int32_t{-3})
      .value("u64", ValueType::u64, ~std::uint64_t{0})
      .value("i64", ValueType::i64, std::int64_t{-4})
      .value("f32", ValueType::f32, 0.1f)
      .value("f64", ValueType::f64, 0.1)
      .value("yes", ValueType::boolean, std::uint8_t{1})
      .strings("tokens", std::vector<std::string>{"", "a", "\xF0\x9F\x8D\x83"})
      .strings("nothing", std::vector<std::string>{})
      .numbers("types", ValueType::i32, std::vector<std::int32_t>{3, -1})
      .numbers("scores", ValueType::f32, std::vector<float>{-0.5f, 2.f})
      .tensor("a.weight", {3, 2}, Type::F32, bytes_of({1, 2, 3, 4, 5, 6}))
      .tensor("b.weight", {1}, Type::F32, bytes_of({7}));
  const test::TemporaryFile on_disk(writer.bytes());
  const File file = File::open(on_disk.path());

  EXPECT_EQ(file.version(), GetParam());
  const Metadata& metadata = file.metadata();
  EXPECT_EQ(metadata.require_text("general.architecture"), "qwen2");
  EXPECT_EQ(metadata.require_unsigned_integer("u8"), 255u);
  EXPECT_EQ(metadata.require_number("i8"), -1);
  EXPECT_EQ(metadata.require_unsigned_integer("u16"), 65535u);
  EXPECT_EQ(metadata.require_number("i16"), -2);
  EXPECT_EQ(metadata.require_unsigned_integer("u32"), 4294967295u);
  EXPECT_EQ(metadata.require_number("i32"), -3);
  EXPECT_EQ(metadata.require_unsigned_integer("u64"), ~std::uint64_t{0});
  EXPECT_EQ(metadata.require_number("i64"), -4);
  EXPECT_EQ(metadata.require_number("f32"), static_cast<double>(0.1f));
  EXPECT_EQ(metadata.require_number("f64"), 0.1);
  EXPECT_EQ(metadata.boolean("yes"), true);
  EXPECT_EQ(metadata.boolean("no"), std::nullopt);
  const StringArray tokens = *metadata.strings("tokens");
  EXPECT_EQ((std::vector<std::string>(tokens.begin(), tokens.end())), (std::vector<std::string>{"", "a", "\xF0\x9F\x8D\x83"}));
  EXPECT_EQ(tokens.size(), 3u);
  const StringArray nothing = *metadata.strings("nothing");
  EXPECT_EQ(nothing.begin(), nothing.end());
  EXPECT_EQ(metadata.integers("types"), (std::vector<std::int32_t>{3, -1}));
  EXPECT_EQ(metadata.floats("scores"), (std::vector<float>{-0.5f, 2.f}));

  ASSERT_EQ(file.tensors().size(), 2u);
  const TensorInfo* const tensor = file.find_tensor("a.weight");
  ASSERT_NE(tensor, nullptr);
  EXPECT_EQ(tensor->rank, 2u);
  EXPECT_EQ(tensor->shape, (std::array<std::uint64_t, 4>{3, 2, 1, 1}));
  EXPECT_EQ(tensor->elements(), 6u);
  EXPECT_EQ(tensor->offset % 32, 0u);
  const auto bytes = file.tensor_bytes(*tensor);
  EXPECT_TRUE(std::ranges::equal(bytes, bytes_of({1, 2, 3, 4, 5, 6})));
  EXPECT_EQ(file.find_tensor("c.weight"), nullptr);
}

TEST(GgufFile, ViewsOutliveAMoveOfTheFile) {
  GgufWriter writer;
  writer.text("name", "plumb").tensor("t", {2}, Type::F32, bytes_of({1, 2}));
  const test::TemporaryFile on_disk(writer.bytes());
  File first = File::open(on_disk.path());
  const std::string_view name = first.metadata().require_text("name");
  const File second = std::move(first);
  EXPECT_EQ(name, "plumb");
  EXPECT_EQ(second.find_tensor("t")->name, "t");
}

TEST(GgufFile, AlignmentIsThatOfTheFile) {
  GgufWriter writer;
  writer.value("general.alignment", ValueType::u32, std::uint32_t{256}).alignment(256);
  writer.tensor("a", {1}, Type::F32).tensor("b", {1}, Type::F32);
  const Bytes bytes = writer.bytes();
  const File file = File::parse(bytes);
  EXPECT_EQ(file.find_tensor("b")->offset - file.find_tensor("a")->offset, 256u);
}

TEST(GgufFile, AFileThatIsNotThereIsModelNotFound) {
  EXPECT_EQ(code_of([] { File::open("/nonexistent/model.gguf"); }), ErrorCode::model_not_found);
}

TEST(GgufFile, AFolderAndADeviceCannotBeMapped) {
  EXPECT_EQ(code_of([] { File::open("/tmp"); }), ErrorCode::model_load_failed);
  EXPECT_EQ(code_of([] { File::open("/dev/null"); }), ErrorCode::model_load_failed);
}

TEST(GgufFile, AnEmptyFileIsNoGguf) {
  const test::TemporaryFile empty(Bytes{});
  EXPECT_EQ(code_of([&] { File::open(empty.path()); }), ErrorCode::invalid_gguf);
}

TEST(GgufFile, AnUnsupportedTypeIsNamedWithItsTensor) {
  GgufWriter writer;
  writer.tensor("fine", {32}, Type::Q4_0).tensor("blk.0.ffn_up.weight", {256}, Type::IQ2_XS);
  const Bytes bytes = writer.bytes();
  const File file = File::parse(bytes);
  try {
    require_supported_types(file);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported_tensor_type);
    EXPECT_NE(std::string(error.what()).find("blk.0.ffn_up.weight has the type IQ2_XS"), std::string::npos);
    EXPECT_EQ(std::get<std::string>(error.fields().at("field")), "type of blk.0.ffn_up.weight");
    EXPECT_EQ(std::get<std::uint64_t>(error.fields().at("offset")), writer.mark("tensor type blk.0.ffn_up.weight"));
    EXPECT_EQ(std::get<std::string>(error.fields().at("expected")), "F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q5_K Q6_K");
    EXPECT_EQ(std::get<std::string>(error.fields().at("found")), "IQ2_XS");
  }
}

TEST(GgufFile, AKeyOfAnotherTypeIsNamed) {
  GgufWriter writer;
  writer.text("text", "1").value("negative", ValueType::i32, std::int32_t{-1});
  const Bytes bytes = writer.bytes();
  const File file = File::parse(bytes);
  EXPECT_EQ(code_of([&] { file.metadata().unsigned_integer("text"); }), ErrorCode::invalid_gguf);
  EXPECT_EQ(code_of([&] { file.metadata().unsigned_integer("negative"); }), ErrorCode::invalid_gguf);
  EXPECT_EQ(code_of([&] { file.metadata().strings("text"); }), ErrorCode::invalid_gguf);
  EXPECT_EQ(code_of([&] { file.metadata().require_text("absent"); }), ErrorCode::invalid_gguf);
}

TEST(GgufFile, ReadsTheCommittedModel) {
  const File file = File::open(test::committed_asset("stories260K/stories260K-f32.gguf"));
  EXPECT_EQ(file.metadata().require_text("general.architecture"), "llama");
  EXPECT_NE(file.find_tensor("token_embd.weight"), nullptr);
}

TEST(GgufFile, ReadsTheMetadataOf151936Tokens) {
  PLUMBLINE_NEEDS_ASSET(path, "tokenizer-vectors/ggml-vocab-qwen2.gguf");
  const auto started = std::chrono::steady_clock::now();
  const File file = File::open(path);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - started;
  RecordProperty("milliseconds", std::to_string(elapsed.count()));
  std::printf("metadata of %s: %.1f ms\n", path.filename().c_str(), elapsed.count());
  EXPECT_EQ(file.metadata().strings("tokenizer.ggml.tokens")->size(), 151'936u);
  EXPECT_LT(elapsed.count(), 600) << "about 60 ms are asked for; this is the ten-fold deadline";
}

}  // namespace
}  // namespace plumbline::gguf
