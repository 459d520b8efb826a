// The devices of the addon that is built for tests with the emulator in it: "emulator" and the CPU. This file stands where
// generation/device.cpp and create_backend.cpp stand in the addon that is shipped.
//
// PLUMBLINE_EMULATOR_VRAM=BYTES  how much memory the emulated device has
// PLUMBLINE_EMULATOR_FAULT=N     the N-th kernel of this process cannot be launched, and neither can any after it: a lost GPU
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "backend/cpu/cpu_backend.h"
#include "backend/cuda/cuda_backend.h"
#include "error.h"
#include "faulty_runtime.h"
#include "generation/device.h"
#include "test/emulator/device_memory.h"
#include "test/emulator/emulated_runtime.h"

namespace plumbline {
namespace {

std::optional<std::size_t> number_in(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr) return std::nullopt;
  const std::string_view text = value;
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  throw Error(ErrorCode::invalid_option, std::string(variable) + " is '" + value + "', must be a whole number");
}

std::unique_ptr<cuda::Runtime> emulated_runtime() {
  static cuda::Faults faults;
  if (const auto bytes = number_in("PLUMBLINE_EMULATOR_VRAM")) emulator::DeviceMemory::set_capacity(*bytes);
  if (const auto launch = number_in("PLUMBLINE_EMULATOR_FAULT")) {
    faults.at = *launch;
    faults.sticky = true;
    faults.call = "launch";
  }
  return std::make_unique<cuda::FaultyRuntime>(emulator::emulated_runtime(), faults);
}

}  // namespace

Device choose_device(const std::string& name) {
  if (name == "cpu" || name == "emulator") return {name, ""};
  if (name == "auto") return {"cpu", "this addon is built for tests"};
  throw Error(ErrorCode::device_unavailable, "device " + name + " cannot be used: this addon is built for tests, and has cpu and emulator",
              {{"device", name}, {"problem", std::string("not_built")}});
}

std::vector<std::string> built_backends() { return {"cpu", "emulator"}; }

std::unique_ptr<Backend> create_backend(const Device& device, Precision precision, unsigned threads) {
  if (device.name == "emulator") return cuda::create_backend(emulated_runtime());
  return cpu::create_backend({.precision = precision, .threads = threads, .variant = {}});
}

}  // namespace plumbline
