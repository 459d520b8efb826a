#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace plumbline::cuda {

struct DeviceProperties {
  std::string name;
  /// Compute capability: 9 and 0 for an H200.
  int compute_major = 0;
  int compute_minor = 0;
  std::size_t memory_bytes = 0;
};

struct Devices {
  std::vector<DeviceProperties> list;
  /// Why the list is empty, for a person; empty where it is not.
  std::string problem;
};

/// The GPUs that the driver shows to this process. Makes no context on any of them and throws nothing but bad_alloc.
Devices devices();

}  // namespace plumbline::cuda
