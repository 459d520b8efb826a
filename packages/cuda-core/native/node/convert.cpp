#include "node/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <variant>

namespace plumbline::node {
namespace {

bool is_unsigned_integer(const Napi::Value& value) {
  if (!value.IsNumber()) return false;
  const double number = value.As<Napi::Number>().DoubleValue();
  return number >= 0 && number <= std::numeric_limits<std::uint32_t>::max() && number == std::floor(number);
}

std::uint32_t as_unsigned_integer(const Napi::Value& value) { return value.As<Napi::Number>().Uint32Value(); }

}  // namespace

Napi::Error to_js(Napi::Env env, const Error& error) {
  Napi::Error made = Napi::Error::New(env, error.what());
  Napi::Object object = made.Value();
  object.Set("code", name(error.code()));
  Napi::Object fields = Napi::Object::New(env);
  for (const auto& [key, field] : error.fields()) {
    if (const auto* text = std::get_if<std::string>(&field)) fields.Set(key, *text);
    // Exact below 2^53, which no offset or size of a real file reaches.
    if (const auto* count = std::get_if<std::uint64_t>(&field)) fields.Set(key, static_cast<double>(*count));
    if (const auto* number = std::get_if<double>(&field)) fields.Set(key, *number);
  }
  object.Set("fields", fields);
  return made;
}

Fields::Fields(const Napi::Value& value, const std::string& name) : name_(name) {
  if (!value.IsObject()) {
    throw Error(ErrorCode::invalid_request, name + " must be an object", {{"field", name}, {"expected", std::string("an object")}});
  }
  object_ = value.As<Napi::Object>();
}

void Fields::refuse(const char* name, const char* expected) const {
  const std::string field = name_ + '.' + name;
  throw Error(ErrorCode::invalid_request, field + " must be " + expected,
              {{"field", field}, {"expected", std::string(expected)}});
}

bool Fields::has(const char* name) const { return !get(name).IsUndefined(); }

std::uint32_t Fields::unsigned_integer(const char* name) const {
  const Napi::Value value = get(name);
  if (!is_unsigned_integer(value)) refuse(name, "an integer from 0 to 4294967295");
  return as_unsigned_integer(value);
}

std::uint32_t Fields::unsigned_integer_or(const char* name, std::uint32_t otherwise) const {
  return has(name) ? unsigned_integer(name) : otherwise;
}

double Fields::number(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsNumber()) refuse(name, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

bool Fields::boolean(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsBoolean()) refuse(name, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

bool Fields::boolean_or(const char* name, bool otherwise) const { return has(name) ? boolean(name) : otherwise; }

std::string Fields::text(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsString()) refuse(name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

std::string Fields::text_or(const char* name, const std::string& otherwise) const {
  return has(name) ? text(name) : otherwise;
}

std::uint64_t Fields::unsigned_bigint(const char* name) const {
  constexpr const char* kExpected = "a bigint from 0 to 2^64 - 1";
  const Napi::Value value = get(name);
  if (!value.IsBigInt()) refuse(name, kExpected);
  bool lossless = false;
  const std::uint64_t number = value.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) refuse(name, kExpected);
  return number;
}

std::vector<std::uint32_t> Fields::unsigned_integers(const char* name) const {
  constexpr const char* kExpected = "a Uint32Array or an array of integers from 0 to 4294967295";
  const Napi::Value value = get(name);
  if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint32_array) {
    const auto array = value.As<Napi::Uint32Array>();
    return {array.Data(), array.Data() + array.ElementLength()};
  }
  if (!value.IsArray()) refuse(name, kExpected);
  const auto array = value.As<Napi::Array>();
  std::vector<std::uint32_t> numbers(array.Length());
  for (std::uint32_t index = 0; index < array.Length(); ++index) {
    const Napi::Value element = array.Get(index);
    if (!is_unsigned_integer(element)) refuse(name, kExpected);
    numbers[index] = as_unsigned_integer(element);
  }
  return numbers;
}

std::vector<float> Fields::floats(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array) {
    refuse(name, "a Float32Array");
  }
  const auto array = value.As<Napi::Float32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

std::vector<std::byte> Fields::bytes(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    refuse(name, "a Uint8Array");
  }
  const auto array = value.As<Napi::Uint8Array>();
  const auto view = std::as_bytes(std::span(array.Data(), array.ElementLength()));
  return {view.begin(), view.end()};
}

Fields Fields::object(const char* name) const { return Fields(get(name), name_ + '.' + name); }

Napi::Float32Array to_js(Napi::Env env, std::span<const float> values) {
  Napi::Float32Array array = Napi::Float32Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size_bytes());
  return array;
}

}  // namespace plumbline::node
