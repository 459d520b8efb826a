// write_corpus FOLDER: the seeds of the GGUF fuzzer, small files that are well-formed in different ways.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gguf_writer.h"

namespace {

using plumbline::gguf::Type;
using plumbline::gguf::ValueType;
using plumbline::test::Bytes;
using plumbline::test::GgufWriter;

Bytes all_value_types(std::uint32_t version) {
  GgufWriter writer(version);
  writer.text("general.architecture", "none")
      .value("general.alignment", ValueType::u32, std::uint32_t{64})
      .alignment(64)
      .value("u8", ValueType::u8, std::uint8_t{1})
      .value("i8", ValueType::i8, std::int8_t{-1})
      .value("u16", ValueType::u16, std::uint16_t{1})
      .value("i16", ValueType::i16, std::int16_t{-1})
      .value("i32", ValueType::i32, std::int32_t{-1})
      .value("u64", ValueType::u64, std::uint64_t{1})
      .value("i64", ValueType::i64, std::int64_t{-1})
      .value("f32", ValueType::f32, 1.f)
      .value("f64", ValueType::f64, 1.)
      .value("bool", ValueType::boolean, std::uint8_t{1})
      .strings("strings", std::vector<std::string>{"a", "", "\xC3\xA9", "\xF0\x9F\x8D\x83"})
      .numbers("numbers", ValueType::f32, std::vector<float>{1, 2})
      .numbers("flags", ValueType::boolean, std::vector<std::uint8_t>{0, 1})
      .tensor("a", {32, 2, 1, 3}, Type::Q4_0)
      .tensor("b", {3}, Type::I8)
      .tensor("c", {256}, Type::Q6_K);
  return writer.bytes();
}

/// One layer, as small as a layer can be with these types.
Bytes model(const std::string& architecture, Type type) {
  const auto size = [&](const char* key) { return architecture + '.' + key; };
  GgufWriter writer;
  writer.text("general.architecture", architecture)
      .value(size("context_length"), ValueType::u32, std::uint32_t{8})
      .value(size("embedding_length"), ValueType::u32, std::uint32_t{32})
      .value(size("block_count"), ValueType::u32, std::uint32_t{1})
      .value(size("feed_forward_length"), ValueType::u32, std::uint32_t{32})
      .value(size("attention.head_count"), ValueType::u32, std::uint32_t{4})
      .value(size("attention.head_count_kv"), ValueType::u32, std::uint32_t{2})
      .value(size("rope.freq_base"), ValueType::f32, 10'000.f)
      .value(size("attention.layer_norm_rms_epsilon"), ValueType::f32, 1e-5f)
      .text("tokenizer.ggml.model", "gpt2")
      .strings("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "ab", "c", "d", "<s>"})
      .numbers("tokenizer.ggml.token_type", ValueType::i32, std::vector<std::int32_t>{1, 1, 1, 1, 1, 3})
      .strings("tokenizer.ggml.merges", std::vector<std::string>{"a b"})
      .value("tokenizer.ggml.eos_token_id", ValueType::u32, std::uint32_t{5})
      .tensor("token_embd.weight", {32, 6}, type)
      .tensor("blk.0.attn_norm.weight", {32}, Type::F32)
      .tensor("blk.0.attn_q.weight", {32, 32}, type)
      .tensor("blk.0.attn_k.weight", {32, 16}, type)
      .tensor("blk.0.attn_v.weight", {32, 16}, type)
      .tensor("blk.0.attn_output.weight", {32, 32}, type)
      .tensor("blk.0.ffn_norm.weight", {32}, Type::F32)
      .tensor("blk.0.ffn_gate.weight", {32, 32}, type)
      .tensor("blk.0.ffn_up.weight", {32, 32}, type)
      .tensor("blk.0.ffn_down.weight", {32, 32}, type)
      .tensor("output_norm.weight", {32}, Type::F32);
  if (architecture == "qwen2") {
    writer.tensor("blk.0.attn_q.bias", {32}, Type::F32)
        .tensor("blk.0.attn_k.bias", {16}, Type::F32)
        .tensor("blk.0.attn_v.bias", {16}, Type::F32);
  }
  return writer.bytes();
}

void write(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const std::filesystem::path folder = arguments[1];
  std::filesystem::create_directories(folder);
  write(folder / "v2", all_value_types(2));
  write(folder / "v3", all_value_types(3));
  write(folder / "llama-f32", model("llama", Type::F32));
  write(folder / "llama-q4_0", model("llama", Type::Q4_0));
  write(folder / "llama-q8_0", model("llama", Type::Q8_0));
  write(folder / "qwen2-f16", model("qwen2", Type::F16));
  write(folder / "qwen2-q5_1", model("qwen2", Type::Q5_1));
}
