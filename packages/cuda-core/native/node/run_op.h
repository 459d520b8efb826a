#pragma once

#include <napi.h>

namespace plumbline::node::testing {

/// runOp({op, variant, threads, …}) -> Float32Array, dense rows: one op of the backend on data of the caller's. What each
/// op takes stands in src/testing.ts.
Napi::Value run_op(const Napi::CallbackInfo& info);

}  // namespace plumbline::node::testing
