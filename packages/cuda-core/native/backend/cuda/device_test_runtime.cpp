#include <cstdlib>

#include "backend/cuda/device_runtime.h"
#include "backend/cuda/test_runtime.h"

namespace plumbline::cuda {
namespace {

const char* test_device() { return std::getenv("PLUMBLINE_TEST_CUDA_DEVICE"); }

}  // namespace

std::string test_runtime_problem() {
  return test_device() != nullptr ? "" : "needs a GPU: set PLUMBLINE_TEST_CUDA_DEVICE to its number";
}

std::unique_ptr<Runtime> test_runtime() { return device_runtime(std::atoi(test_device())); }

}  // namespace plumbline::cuda
