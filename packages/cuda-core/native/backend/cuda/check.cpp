#include "backend/cuda/check.h"

#include <cstdint>
#include <string_view>

#include "error.h"

namespace plumbline::cuda {

void check(const Runtime& runtime, Status status, const std::string& call, Where where) {
  if (status == Status::success) return;
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
