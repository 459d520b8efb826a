#pragma once

#include <napi.h>

namespace plumbline::node {

/// inspect(path): the `GgufInspection` of src/types.ts. Throws only if the file cannot be read as GGUF; a model that
/// cannot be run has the reason as its `problem`.
Napi::Value inspect(const Napi::CallbackInfo& info);

/// probe_device(name): the `DeviceProbe` of src/types.ts.
Napi::Value probe_device(const Napi::CallbackInfo& info);

/// built_backends(): what the addon was built with, as text (generation/device.h).
Napi::Value built_backends(const Napi::CallbackInfo& info);

}  // namespace plumbline::node
