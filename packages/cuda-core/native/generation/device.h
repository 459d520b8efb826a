#pragma once

#include <memory>
#include <string>

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

/// `threads`: 0 for as many as the process may run on.
std::unique_ptr<Backend> create_backend(const Device& device, Precision precision, unsigned threads);

}  // namespace plumbline
