#pragma once

#include <memory>
#include <string>

#include "backend/cuda/runtime.h"

namespace plumbline::cuda {

/// The CUDA runtime itself, on GPU `index`, whose context it makes. Throws CUDA_ERROR, DEVICE_UNAVAILABLE (check.h).
std::unique_ptr<Runtime> device_runtime(int index);

/// The constant's name and what the CUDA runtime says of it.
std::string description_of(Status status);

}  // namespace plumbline::cuda
