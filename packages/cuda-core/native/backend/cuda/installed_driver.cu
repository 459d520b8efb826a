#include <cuda_runtime_api.h>

#include "backend/cuda/device_runtime.h"
#include "backend/cuda/driver.h"

namespace plumbline::cuda {
namespace {

class InstalledDriver final : public Driver {
 public:
  int version() const override {
    int version = 0;
    return cudaDriverGetVersion(&version) == cudaSuccess ? version : 0;
  }
  int toolkit_version() const override { return CUDART_VERSION; }

  Status count(int& devices) override { return static_cast<Status>(cudaGetDeviceCount(&devices)); }

  Status properties(int index, DeviceProperties& properties) override {
    cudaDeviceProp found{};
    const cudaError_t status = cudaGetDeviceProperties(&found, index);
    if (status == cudaSuccess) properties = {found.name, found.major, found.minor};
    return static_cast<Status>(status);
  }

  std::string describe(Status status) const override { return description_of(status); }
};

}  // namespace

std::unique_ptr<Driver> installed_driver() { return std::make_unique<InstalledDriver>(); }

}  // namespace plumbline::cuda
