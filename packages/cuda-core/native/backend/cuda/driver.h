#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "backend/cuda/runtime.h"

namespace plumbline::cuda {

struct DeviceProperties {
  std::string name;
  /// Compute capability: 9 and 0 for an H200.
  int compute_major = 0;
  int compute_minor = 0;
};

/// What is asked of the CUDA runtime before a device is chosen; none of it makes a context. Tests put other machines behind it.
class Driver {
 public:
  virtual ~Driver() = default;
  Driver() = default;
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  /// The newest CUDA that the driver knows, 13000 for 13.0; 0 where no driver is installed.
  virtual int version() const = 0;
  /// The CUDA that this was built with.
  virtual int toolkit_version() const = 0;
  virtual Status count(int& devices) = 0;
  virtual Status properties(int index, DeviceProperties& properties) = 0;
  /// For a person, with the name of the constant.
  virtual std::string describe(Status status) const = 0;
};

/// This machine's.
std::unique_ptr<Driver> installed_driver();

}  // namespace plumbline::cuda
