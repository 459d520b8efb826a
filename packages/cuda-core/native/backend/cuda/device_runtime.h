#pragma once

#include <memory>

#include "backend/cuda/runtime.h"

namespace plumbline::cuda {

/// The CUDA runtime itself, on GPU `index`, whose context it makes. Throws CUDA_ERROR.
std::unique_ptr<Runtime> device_runtime(int index);

}  // namespace plumbline::cuda
