#include "backend/cuda/check.h"

#include <cstdint>
#include <string_view>

#include "error.h"

namespace plumbline::cuda {

void check(const Runtime& runtime, Status status, const std::string& call, Where where) {
  if (status == Status::success) return;
  if (status == Status::devices_unavailable) {
    const std::string reason = runtime.device() + " is in exclusive use by another process, or closed to all: " + runtime.describe(status);
    throw Error(ErrorCode::device_unavailable, reason, {{"device", runtime.device()}, {"problem", std::string("gpu_in_use")}, {"reason", reason}});
  }
  // The folders above say where this was built, which is nobody's business.
  const std::string_view path = where.file;
  const std::string file(path.substr(path.find_last_of('/') + 1));
  throw Error(ErrorCode::cuda_error,
              call + " failed on " + runtime.device() + ": " + runtime.describe(status) + " (" + file + ":" +
                  std::to_string(where.line) + ")",
              {{"call", call},
               {"status", std::uint64_t{static_cast<unsigned>(status)}},
               {"file", file},
               {"line", std::uint64_t{where.line}},
               {"device", runtime.device()}});
}

}  // namespace plumbline::cuda
