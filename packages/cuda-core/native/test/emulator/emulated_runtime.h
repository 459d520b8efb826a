#pragma once

#include <memory>

#include "backend/cuda/runtime.h"

namespace plumbline::emulator {

/// The CUDA runtime over the emulator: device memory is the host's, streams are done with each call before the next. A kernel's
/// Mistake is thrown by the launch.
std::unique_ptr<cuda::Runtime> emulated_runtime();

}  // namespace plumbline::emulator
