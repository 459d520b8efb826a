#include "generation/device.h"

#include <algorithm>
#include <string_view>

#include "error.h"
#ifdef PLUMBLINE_CUDA
#include "backend/cuda/devices.h"
#endif

namespace plumbline {
namespace {

constexpr std::string_view kCudaPrefix = "cuda:";

/// Why GPU `index` cannot run a model. There is no forward pass on CUDA yet, so there always is a reason.
std::string cuda_problem([[maybe_unused]] std::size_t index) {
#ifdef PLUMBLINE_CUDA
  const cuda::Devices devices = cuda::devices();
  if (!devices.problem.empty()) return devices.problem;
  if (index >= devices.list.size()) return "the driver shows " + std::to_string(devices.list.size()) + " GPU(s)";
  return devices.list[index].name + " is there, but this version has no CUDA forward pass yet";
#else
  return "this build has no CUDA part: nvcc was not found when it was built";
#endif
}

bool is_cuda_device(std::string_view name) {
  if (!name.starts_with(kCudaPrefix)) return false;
  const std::string_view index = name.substr(kCudaPrefix.size());
  return !index.empty() && index.size() <= 3 &&
         std::ranges::all_of(index, [](char letter) { return letter >= '0' && letter <= '9'; });
}

}  // namespace

Device choose_device(const std::string& name) {
  if (name == "cpu") return {"cpu", ""};
  if (name == "auto") return {"cpu", cuda_problem(0)};
  if (is_cuda_device(name)) {
    const std::string problem = cuda_problem(std::stoul(name.substr(kCudaPrefix.size())));
    throw Error(ErrorCode::device_unavailable, "device " + name + " cannot be used: " + problem,
                {{"device", name}, {"reason", problem}});
  }
  throw Error(ErrorCode::invalid_option, "device must be auto, cpu or cuda:N, but is " + name,
              {{"field", std::string("device")}, {"found", name}, {"expected", std::string("auto, cpu or cuda:N")}});
}

}  // namespace plumbline
