#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace plumbline {

struct Device {
  /// "cpu" or "cuda:N"
  std::string name;
  /// Why "auto" did not take a GPU; empty otherwise.
  std::string fallback_reason;
};

/// Which device "auto", "cpu" or "cuda:N" means on this machine. Throws DEVICE_UNAVAILABLE for a GPU that is not to be
/// had (only "auto" falls back), INVALID_OPTION for a name that is none.
Device choose_device(const std::string& name);

/// What this was built with, for a person: "cpu", "cuda 13.0 (sm_80, sm_90a, compute_90)".
std::vector<std::string> built_backends();

/// `threads`: 0 for as many as the process may run on. On a GPU `fast` and `exact` are one for now: float32 throughout, and no threads.
/// Throws DEVICE_UNAVAILABLE for a GPU that another process keeps to itself, CUDA_ERROR.
std::unique_ptr<Backend> create_backend(const Device& device, Precision precision, unsigned threads);

}  // namespace plumbline
