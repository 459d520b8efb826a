#include "node/inspect.h"

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "generation/engine.h"
#include "model/tokenizer_metadata.h"
#include "node/convert.h"

namespace plumbline::node {
namespace {

constexpr double kMaxSafeInteger = 9007199254740991;

Napi::Value integer_to_js(Napi::Env env, auto value) {
  const auto number = static_cast<double>(value);
  if (number >= -kMaxSafeInteger && number <= kMaxSafeInteger) return Napi::Number::New(env, number);
  return Napi::BigInt::New(env, value);
}

Napi::Value to_js(Napi::Env env, const gguf::Value& value) {
  struct Converter {
    Napi::Env env;
    Napi::Value operator()(std::uint64_t number) const { return integer_to_js(env, number); }
    Napi::Value operator()(std::int64_t number) const { return integer_to_js(env, number); }
    Napi::Value operator()(double number) const { return Napi::Number::New(env, number); }
    Napi::Value operator()(bool flag) const { return Napi::Boolean::New(env, flag); }
    Napi::Value operator()(std::string_view text) const { return Napi::String::New(env, text.data(), text.size()); }
    Napi::Value operator()(const gguf::ArrayView& array) const {
      Napi::Object object = Napi::Object::New(env);
      object.Set("array", std::string(name(array.element)));
      object.Set("length", static_cast<double>(array.count));
      return object;
    }
  };
  return std::visit(Converter{env}, value);
}

Napi::Array tensors_to_js(Napi::Env env, const gguf::File& file) {
  Napi::Array tensors = Napi::Array::New(env, file.tensors().size());
  std::uint32_t index = 0;
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    Napi::Array shape = Napi::Array::New(env, tensor.rank);
    for (std::uint32_t dimension = 0; dimension < tensor.rank; ++dimension) {
      shape.Set(dimension, static_cast<double>(tensor.shape[dimension]));
    }
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", std::string(tensor.name));
    object.Set("shape", shape);
    object.Set("type", std::string(gguf::info(tensor.type).name));
    object.Set("bytes", static_cast<double>(tensor.bytes));
    tensors.Set(index++, object);
  }
  return tensors;
}

/// Why the model cannot be run: found by doing all that a load does.
std::optional<Error> problem_of(std::shared_ptr<const gguf::File> file) {
  try {
    const auto model = Model::load(std::move(file), create_backend(choose_device("cpu"), Precision::fast, 1));
    read_tokenizer_metadata(model->file().metadata());
    return std::nullopt;
  } catch (...) {
    return current_exception_as_error();
  }
}

}  // namespace

Napi::Value inspect(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto file = std::make_shared<const gguf::File>(gguf::File::open(Fields(info[0], "options").text("modelPath")));
  const ModelSummary summary = summarise(*file);

  Napi::Object metadata = Napi::Object::New(env);
  for (const gguf::Entry& entry : file->metadata().entries()) metadata.Set(std::string(entry.key), to_js(env, entry.value));

  Napi::Object object = Napi::Object::New(env);
  object.Set("version", file->version());
  object.Set("fileBytes", static_cast<double>(file->size()));
  for (const auto& [field, key] : {std::pair("architecture", "general.architecture"), std::pair("name", "general.name")}) {
    const gguf::Entry* const entry = file->metadata().find(key);
    if (entry != nullptr && entry->type == gguf::ValueType::string) object.Set(field, metadata.Get(key));
  }
  object.Set("quantKind", std::string(summary.quant_kind));
  object.Set("parameters", static_cast<double>(summary.parameters));
  object.Set("metadata", metadata);
  object.Set("tensors", tensors_to_js(env, *file));
  if (const auto problem = problem_of(file)) object.Set("problem", to_js(env, *problem).Value());
  return object;
}

Napi::Value probe_device(const Napi::CallbackInfo& info) {
  const Device device = choose_device(Fields(info[0], "options").text("device"));
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("device", device.name);
  object.Set("backend", create_backend(device, Precision::fast, 1)->name());
  if (!device.fallback_reason.empty()) object.Set("fallbackReason", device.fallback_reason);
  return object;
}

Napi::Value built_backends(const Napi::CallbackInfo& info) {
  Napi::Array out = Napi::Array::New(info.Env());
  for (const std::string& backend : plumbline::built_backends()) out.Set(out.Length(), backend);
  return out;
}

}  // namespace plumbline::node
