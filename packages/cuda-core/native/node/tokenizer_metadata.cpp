#include "node/tokenizer_metadata.h"

#include <cstring>

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

Napi::Object to_js(Napi::Env env, const TokenizerMetadata& metadata) {
  Napi::Object object = Napi::Object::New(env);
  const auto set_text = [&](const char* name, const std::optional<std::string_view>& text) {
    if (text) object.Set(name, Napi::String::New(env, text->data(), text->size()));
  };
  const auto set_id = [&](const char* name, const std::optional<std::uint64_t>& id) {
    if (id) object.Set(name, static_cast<double>(*id));
  };
  const auto set_flag = [&](const char* name, const std::optional<bool>& flag) {
    if (flag) object.Set(name, *flag);
  };
  set_text("model", metadata.model);
  set_text("pre", metadata.pre);
  object.Set("tokens", to_js(env, metadata.tokens));
  if (metadata.scores) object.Set("scores", copied<Napi::Float32Array>(env, *metadata.scores));
  if (metadata.token_types) object.Set("tokenTypes", copied<Napi::Int32Array>(env, *metadata.token_types));
  if (metadata.merges) object.Set("merges", to_js(env, *metadata.merges));
  set_id("bosId", metadata.bos_id);
  set_id("eosId", metadata.eos_id);
  set_id("eotId", metadata.eot_id);
  set_id("eomId", metadata.eom_id);
  set_id("unknownId", metadata.unknown_id);
  set_id("paddingId", metadata.padding_id);
  set_flag("addBos", metadata.add_bos);
  set_flag("addEos", metadata.add_eos);
  set_flag("addSpacePrefix", metadata.add_space_prefix);
  set_text("chatTemplate", metadata.chat_template);
  return object;
}

}  // namespace plumbline::node
