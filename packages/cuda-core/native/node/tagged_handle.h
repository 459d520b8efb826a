#pragma once

#include <memory>

#include <napi.h>

#include "error.h"

namespace plumbline::node {

/// An opaque JavaScript object around a shared_ptr, whose target is told (`collected()`) when JavaScript has dropped it. The tag, one for each type, is checked at every use: an object of
/// another kind is a typed error and never a pointer of the wrong type.
template <typename T>
class TaggedHandle {
 public:
  static Napi::Object wrap(Napi::Env env, std::shared_ptr<T> target) {
    Napi::Object object = Napi::Object::New(env);
    auto owned = std::make_unique<std::shared_ptr<T>>(std::move(target));
    check(env, napi_type_tag_object(env, object, &T::kTypeTag));
    check(env, napi_wrap(env, object, owned.get(), &finalize, nullptr, nullptr));
    owned.release();  // finalize's now
    return object;
  }

  static std::shared_ptr<T> unwrap(const Napi::Value& value) {
    bool tagged = false;
    if (value.IsObject()) check(value.Env(), napi_check_object_type_tag(value.Env(), value, &T::kTypeTag, &tagged));
    if (!tagged) {
      throw Error(ErrorCode::invalid_request, std::string("expected ") + T::kHandleName,
                  {{"field", std::string("handle")}, {"expected", std::string(T::kHandleName)}});
    }
    void* target = nullptr;
    check(value.Env(), napi_unwrap(value.Env(), value, &target));
    return *static_cast<std::shared_ptr<T>*>(target);
  }

 private:
  static void check(Napi::Env env, napi_status status) {
    if (status != napi_ok) throw Napi::Error::New(env);
  }
  static void finalize(napi_env, void* target, void*) {
    const std::unique_ptr<std::shared_ptr<T>> owned(static_cast<std::shared_ptr<T>*>(target));
    (*owned)->collected();
  }
};

}  // namespace plumbline::node
