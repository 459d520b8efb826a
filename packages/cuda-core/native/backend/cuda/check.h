#pragma once

#include "backend/cuda/runtime.h"
#include "backend/cuda/where.h"

namespace plumbline::cuda {

/// Throws CUDA_ERROR with the call, where it was made and the device's name, unless it went well.
void check(const Runtime& runtime, Status status, const std::string& call, Where where = Where::here());

}  // namespace plumbline::cuda
