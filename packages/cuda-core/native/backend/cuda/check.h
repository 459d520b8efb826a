#pragma once

#include "backend/cuda/runtime.h"
#include "backend/cuda/where.h"

namespace plumbline::cuda {

/// Throws, unless it went well: DEVICE_UNAVAILABLE for a GPU that another process keeps to itself, otherwise CUDA_ERROR with the
/// call, where it was made and the device's name.
void check(const Runtime& runtime, Status status, const std::string& call, Where where = Where::here());

}  // namespace plumbline::cuda
