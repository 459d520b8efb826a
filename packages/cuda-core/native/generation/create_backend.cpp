#include "backend/cpu/cpu_backend.h"
#include "generation/device.h"
#ifdef PLUMBLINE_CUDA
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/device_runtime.h"
#include "generation/device_name.h"
#endif

namespace plumbline {

// Alone in this file, so that an addon can be linked with another one: native/test/planted.
std::unique_ptr<Backend> create_backend([[maybe_unused]] const Device& device, Precision precision, unsigned threads) {
#ifdef PLUMBLINE_CUDA
  if (const auto index = cuda_index(device.name)) {
    return cuda::create_backend(cuda::device_runtime(static_cast<int>(*index)));
  }
#endif
  return cpu::create_backend({.precision = precision, .threads = threads, .variant = {}});
}

}  // namespace plumbline
