#pragma once

#include <napi.h>

namespace plumbline::node {

/// read_weights({modelPath}, use): calls `use(name, shape, values)` for one piece of a tensor's values after another, dequantised, as a
/// Float32Array of its own: whole rows, in the file's order. `shape` is ggml's, the contiguous dimension first.
Napi::Value read_weights(const Napi::CallbackInfo& info);

}  // namespace plumbline::node
