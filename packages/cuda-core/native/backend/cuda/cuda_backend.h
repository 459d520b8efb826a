#pragma once

#include <memory>

#include "backend/backend.h"
#include "backend/cuda/runtime.h"

namespace plumbline::cuda {

/// The ops in `exact`: float32 activations, sums and KV cache, one kernel an op, none fused, no tensor cores. Weights lie in the
/// device's memory in the type that the file has them in. Throws CUDA_ERROR; VRAM_OOM where memory is asked for.
std::unique_ptr<Backend> create_backend(std::unique_ptr<Runtime> runtime);

}  // namespace plumbline::cuda
