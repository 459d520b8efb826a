#include "backend/cuda/devices.h"

#include <utility>

namespace plumbline::cuda {
namespace {

/// Of the oldest GPU that there is code for (CMakeLists.txt): asynchronous copies and BF16 begin there.
constexpr std::pair kOldestCompute = {8, 0};

std::string compute_text(int major, int minor) { return std::to_string(major) + "." + std::to_string(minor); }

}  // namespace

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::optional<DeviceProblem> problem_of(Driver& driver, std::size_t index) {
  int count = 0;
  const Status counted = driver.count(count);
  const int version = driver.version();
  if (version == 0) return DeviceProblem{"no_driver", "no NVIDIA driver is installed"};
  if (counted == Status::insufficient_driver) {
    return DeviceProblem{"driver_too_old", "the NVIDIA driver knows CUDA " + version_text(version) + ", this build needs " +
                                               version_text(driver.toolkit_version()) + ": update the driver"};
  }
  if (counted != Status::success || count == 0) {
    const Status why = counted == Status::success ? Status::no_device : counted;
    return DeviceProblem{"no_gpu", "the NVIDIA driver shows no GPU: " + driver.describe(why)};
  }
  if (index >= static_cast<std::size_t>(count)) {
    return DeviceProblem{"no_such_gpu", "the NVIDIA driver shows " + std::to_string(count) + " GPU(s), the last is cuda:" +
                                            std::to_string(count - 1)};
  }
  DeviceProperties properties;
  if (const Status asked = driver.properties(static_cast<int>(index), properties); asked != Status::success) {
    return DeviceProblem{"gpu_silent", "it does not answer: " + driver.describe(asked)};
  }
  const auto [major, minor] = std::pair(properties.compute_major, properties.compute_minor);
  if (std::pair(major, minor) < kOldestCompute) {
    return DeviceProblem{"gpu_too_old", properties.name + " has compute capability " + compute_text(major, minor) +
                                            ", this build needs " +
                                            compute_text(kOldestCompute.first, kOldestCompute.second) + " or later"};
  }
  return std::nullopt;
}

}  // namespace plumbline::cuda
