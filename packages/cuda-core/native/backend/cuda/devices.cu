#include "backend/cuda/devices.h"

#include <cuda_runtime_api.h>

namespace plumbline::cuda {
namespace {

/// 13000 as "13.0".
std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string problem_of(cudaError_t status) {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) return "no NVIDIA driver is installed";
  if (status == cudaErrorInsufficientDriver) {
    return "the NVIDIA driver knows CUDA " + version_text(driver) + ", this build needs " +
           version_text(CUDART_VERSION) + ": update the driver";
  }
  return std::string("the NVIDIA driver shows no GPU (") + cudaGetErrorString(status) + ")";
}

}  // namespace

Devices devices() {
  Devices found;
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    found.problem = problem_of(status == cudaSuccess ? cudaErrorNoDevice : status);
    return found;
  }
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    if (const cudaError_t asked = cudaGetDeviceProperties(&properties, index); asked != cudaSuccess) {
      found.list.clear();
      found.problem = "GPU " + std::to_string(index) + " does not answer (" + cudaGetErrorString(asked) + ")";
      return found;
    }
    found.list.push_back({properties.name, properties.major, properties.minor, properties.totalGlobalMem});
  }
  return found;
}

}  // namespace plumbline::cuda
