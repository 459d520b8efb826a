#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "backend/cuda/driver.h"

namespace plumbline::cuda {

/// Why a GPU cannot be used: a word for programs and a line for people.
struct DeviceProblem {
  /// no_driver, driver_too_old, no_gpu, no_such_gpu, gpu_silent or gpu_too_old.
  const char* kind;
  std::string reason;
};

/// Of GPU `index`; nothing if it can be used, as far as can be told without a context on it.
std::optional<DeviceProblem> problem_of(Driver& driver, std::size_t index);

/// 13000 as "13.0".
std::string version_text(int version);

}  // namespace plumbline::cuda
