#include "node/tokenizer_metadata.h"

#include <cstring>
#include <string>

#include "error.h"

namespace plumbline::node {
namespace {

Napi::Array to_js(Napi::Env env, const gguf::StringArray& strings) {
  Napi::Array array = Napi::Array::New(env, strings.size());
  std::uint32_t index = 0;
  for (const std::string_view text : strings) array.Set(index++, Napi::String::New(env, text.data(), text.size()));
  return array;
}

template <typename Array, typename T>
Array copied(Napi::Env env, const std::vector<T>& values) {
  Array array = Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(T));
  return array;
}

}  // namespace

Napi::Object tokenizer_metadata(Napi::Env env, const gguf::Metadata& metadata) {
  Napi::Object object = Napi::Object::New(env);
  const auto set_text = [&](const char* name, const char* key) {
    if (const auto text = metadata.text(key)) object.Set(name, Napi::String::New(env, text->data(), text->size()));
  };
  const auto set_id = [&](const char* name, const char* key) {
    if (const auto id = metadata.unsigned_integer(key)) object.Set(name, static_cast<double>(*id));
  };
  const auto set_flag = [&](const char* name, const char* key) {
    if (const auto flag = metadata.boolean(key)) object.Set(name, *flag);
  };

  const std::string_view model = metadata.require_text("tokenizer.ggml.model");
  object.Set("model", std::string(model));
  set_text("pre", "tokenizer.ggml.pre");
  const auto tokens = metadata.strings("tokenizer.ggml.tokens");
  if (!tokens) {
    throw Error(ErrorCode::invalid_gguf, "the GGUF file lacks the metadata key tokenizer.ggml.tokens",
                {{"field", std::string("tokenizer.ggml.tokens")}, {"expected", std::string("an array of strings")}});
  }
  object.Set("tokens", to_js(env, *tokens));
  if (const auto scores = metadata.floats("tokenizer.ggml.scores")) object.Set("scores", copied<Napi::Float32Array>(env, *scores));
  if (const auto types = metadata.integers("tokenizer.ggml.token_type")) object.Set("tokenTypes", copied<Napi::Int32Array>(env, *types));
  if (const auto merges = metadata.strings("tokenizer.ggml.merges")) object.Set("merges", to_js(env, *merges));
  set_id("bosId", "tokenizer.ggml.bos_token_id");
  set_id("eosId", "tokenizer.ggml.eos_token_id");
  set_id("eotId", "tokenizer.ggml.eot_token_id");
  set_id("eomId", "tokenizer.ggml.eom_token_id");
  set_id("unknownId", "tokenizer.ggml.unknown_token_id");
  set_id("paddingId", "tokenizer.ggml.padding_token_id");
  set_flag("addBos", "tokenizer.ggml.add_bos_token");
  set_flag("addEos", "tokenizer.ggml.add_eos_token");
  set_flag("addSpacePrefix", "tokenizer.ggml.add_space_prefix");
  set_text("chatTemplate", "tokenizer.chat_template");
  return object;
}

}  // namespace plumbline::node
