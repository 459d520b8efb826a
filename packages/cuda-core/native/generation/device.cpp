#include "generation/device.h"

#include <optional>

#include "error.h"
#include "generation/device_name.h"
#ifdef PLUMBLINE_CUDA
#include "backend/cuda/devices.h"
#endif

namespace plumbline {
namespace {

#ifdef PLUMBLINE_CUDA
using cuda::DeviceProblem;
#else
struct DeviceProblem {
  const char* kind;
  std::string reason;
};
#endif

std::optional<DeviceProblem> cuda_problem([[maybe_unused]] std::size_t index) {
#ifdef PLUMBLINE_CUDA
  return cuda::problem_of(*cuda::installed_driver(), index);
#else
  return DeviceProblem{"not_built", "this build has no CUDA part: nvcc was not found when it was built"};
#endif
}

}  // namespace

Device choose_device(const std::string& name) {
  if (name == "cpu") return {"cpu", ""};
  if (name == "auto") {
    // Only the emulator has run the kernels so far: whoever wants them on a GPU asks for them.
    const auto problem = cuda_problem(0);
    return {"cpu", problem ? problem->reason : "these kernels have not run on a GPU yet: try it with --device cuda:0"};
  }
  const auto index = cuda_index(name);
  if (!index) {
    throw Error(ErrorCode::invalid_option, "device must be auto, cpu or cuda:N, but is " + name,
                {{"field", std::string("device")}, {"found", name}, {"expected", std::string("auto, cpu or cuda:N")}});
  }
  if (const auto problem = cuda_problem(*index)) {
    throw Error(ErrorCode::device_unavailable, "device " + name + " cannot be used: " + problem->reason,
                {{"device", name}, {"problem", std::string(problem->kind)}, {"reason", problem->reason}});
  }
  return {name, ""};
}

std::vector<std::string> built_backends() {
#ifdef PLUMBLINE_CUDA
  const std::string toolkit = cuda::version_text(cuda::installed_driver()->toolkit_version());
  return {"cpu", "cuda " + toolkit + " (" PLUMBLINE_CUDA_TARGETS ")"};
#else
  return {"cpu"};
#endif
}

}  // namespace plumbline
