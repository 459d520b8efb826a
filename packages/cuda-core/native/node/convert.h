#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <napi.h>

#include "error.h"

/// Values from and to JavaScript, and errors: the only way that an exception leaves native code.
namespace plumbline::node {

/// An Error with `code` and `fields`; src/addon.ts makes a PlumblineError of it.
Napi::Error to_js(Napi::Env env, const Error& error);

/// Wraps a function that JavaScript calls: whatever it throws becomes a JavaScript exception.
template <auto function>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return function(info);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw to_js(info.Env(), current_exception_as_error());
  }
}

/// Reads the properties of an object; one that is absent, of the wrong type or out of range is INVALID_REQUEST by name.
class Fields {
 public:
  Fields(const Napi::Value& value, const std::string& name);

  bool has(const char* name) const;
  std::uint32_t unsigned_integer(const char* name) const;
  std::uint32_t unsigned_integer_or(const char* name, std::uint32_t otherwise) const;
  double number(const char* name) const;
  bool boolean(const char* name) const;
  bool boolean_or(const char* name, bool otherwise) const;
  std::string text(const char* name) const;
  std::string text_or(const char* name, const std::string& otherwise) const;
  /// A BigInt from 0 to 2^64 - 1.
  std::uint64_t unsigned_bigint(const char* name) const;
  /// A Uint32Array or an array of numbers.
  std::vector<std::uint32_t> unsigned_integers(const char* name) const;
  /// A Float32Array.
  std::vector<float> floats(const char* name) const;
  std::vector<std::byte> bytes(const char* name) const;
  Fields object(const char* name) const;

 private:
  [[noreturn]] void refuse(const char* name, const char* expected) const;
  Napi::Value get(const char* name) const { return object_.Get(name); }

  Napi::Object object_;
  std::string name_;
};

/// A Float32Array of its own.
Napi::Float32Array to_js(Napi::Env env, std::span<const float> values);

}  // namespace plumbline::node
