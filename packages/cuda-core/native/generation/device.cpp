#include "generation/device.h"

#include <algorithm>
#include <string_view>

#include "backend/cpu/cpu_backend.h"
#include "error.h"

namespace plumbline {
namespace {

constexpr std::string_view kCudaPrefix = "cuda:";
constexpr const char* kNoCuda = "this build has no CUDA backend";

bool is_cuda_device(std::string_view name) {
  if (!name.starts_with(kCudaPrefix)) return false;
  const std::string_view index = name.substr(kCudaPrefix.size());
  return !index.empty() && index.size() <= 3 &&
         std::ranges::all_of(index, [](char letter) { return letter >= '0' && letter <= '9'; });
}

}  // namespace

Device choose_device(const std::string& name) {
  if (name == "cpu") return {"cpu", ""};
  if (name == "auto") return {"cpu", kNoCuda};
  if (is_cuda_device(name)) {
    throw Error(ErrorCode::device_unavailable, "device " + name + " cannot be used: " + kNoCuda,
                {{"device", name}, {"reason", std::string(kNoCuda)}});
  }
  throw Error(ErrorCode::invalid_option, "device must be auto, cpu or cuda:N, but is " + name,
              {{"field", std::string("device")}, {"found", name}, {"expected", std::string("auto, cpu or cuda:N")}});
}

std::unique_ptr<Backend> create_backend(const Device&, Precision precision, unsigned threads) {
  return cpu::create_backend({.precision = precision, .threads = threads, .variant = {}});
}

}  // namespace plumbline
