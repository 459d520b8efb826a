#pragma once

#include <napi.h>

namespace plumbline::node::testing {

/// runOp({op, variant, threads, …}) -> Float32Array, dense rows: one op of the backend on data of the caller's. What each
/// op takes stands in src/addon.ts.
Napi::Value run_op(const Napi::CallbackInfo& info);

/// cpuVariants() -> the variants of the CPU's kernels that can run here, best last.
Napi::Value cpu_variants(const Napi::CallbackInfo& info);

}  // namespace plumbline::node::testing
