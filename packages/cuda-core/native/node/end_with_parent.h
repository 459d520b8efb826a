#pragma once

#include <napi.h>

namespace plumbline::node {

/// Has the kernel kill this process when the one that started it ends, whatever state this one is in, stopped (SIGSTOP) too.
/// Linux alone can; elsewhere it does nothing. Returns whether it could.
Napi::Value end_with_parent(const Napi::CallbackInfo& info);

}  // namespace plumbline::node
