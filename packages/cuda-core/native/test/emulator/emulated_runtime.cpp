#include "test/emulator/emulated_runtime.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "test/emulator/device_memory.h"
#include "test/emulator/machine.h"

namespace plumbline::emulator {
namespace {

using cuda::Status;

/// Of any GPU since compute capability 8.0 (CUDA programming guide, table of technical specifications), without opting in for more.
constexpr std::size_t kMostThreads = 1024;
constexpr std::size_t kMostSharedBytes = 48 * 1024;
constexpr unsigned kMostBlocksX = 0x7fffffff;
constexpr unsigned kMostBlocksYz = 65'535;

bool configurable(const cuda::Launch& launch) {
  const auto [x, y, z] = launch.block;
  const auto threads = std::uint64_t{x} * y * z;
  return threads >= 1 && threads <= kMostThreads && z <= 64 && launch.grid.x >= 1 && launch.grid.x <= kMostBlocksX &&
         launch.grid.y >= 1 && launch.grid.y <= kMostBlocksYz && launch.grid.z >= 1 &&
         launch.grid.z <= kMostBlocksYz && launch.shared_bytes <= kMostSharedBytes;
}

class EmulatedRuntime final : public cuda::Runtime {
 public:
  std::string device() const override { return "emulator"; }

  std::string describe(Status status) const override {
    switch (status) {
      case Status::success: return "cudaSuccess";
      case Status::invalid_value: return "cudaErrorInvalidValue (invalid argument)";
      case Status::out_of_memory: return "cudaErrorMemoryAllocation (out of memory)";
      case Status::invalid_configuration: return "cudaErrorInvalidConfiguration (invalid configuration argument)";
      case Status::insufficient_driver: return "cudaErrorInsufficientDriver (CUDA driver version is insufficient for CUDA runtime version)";
      case Status::devices_unavailable: return "cudaErrorDevicesUnavailable (CUDA-capable device(s) is/are busy or unavailable)";
      case Status::no_device: return "cudaErrorNoDevice (no CUDA-capable device is detected)";
      case Status::illegal_address: return "cudaErrorIllegalAddress (an illegal memory access was encountered)";
      case Status::launch_failure: return "cudaErrorLaunchFailure (unspecified launch failure)";
    }
    return "error " + std::to_string(static_cast<int>(status));
  }

  Status memory_info(std::size_t& free_bytes, std::size_t& total_bytes) override {
    total_bytes = DeviceMemory::capacity();
    free_bytes = total_bytes - DeviceMemory::allocated();
    return Status::success;
  }

  Status allocate(void*& address, std::size_t bytes) override {
    address = DeviceMemory::allocate(bytes);
    return address != nullptr ? Status::success : Status::out_of_memory;
  }

  Status release(void* address) override {
    return DeviceMemory::release(address) ? Status::success : Status::invalid_value;
  }

  Status allocate_pinned(void*& address, std::size_t bytes) override {
    address = std::malloc(bytes);
    return address != nullptr ? Status::success : Status::out_of_memory;
  }
  Status release_pinned(void* address) override {
    std::free(address);
    return Status::success;
  }

  Status create_stream(cuda::StreamHandle& stream) override {
    stream = this;
    return Status::success;
  }
  Status destroy_stream(cuda::StreamHandle) override { return Status::success; }
  Status synchronize(cuda::StreamHandle) override { return Status::success; }

  Status zero(void* address, std::size_t bytes, cuda::StreamHandle) override {
    std::uint8_t* const written = DeviceMemory::written(address, bytes);
    if (written == nullptr) return Status::invalid_value;
    std::memset(address, 0, bytes);
    std::memset(written, 1, bytes);
    return Status::success;
  }

  Status copy_in(const cuda::Copy& copy, cuda::StreamHandle) override {
    return move(copy, copy.to, copy.to_pitch, [](std::uint8_t* written, std::size_t bytes) { std::memset(written, 1, bytes); });
  }

  Status copy_out(const cuda::Copy& copy, cuda::StreamHandle) override {
    return move(copy, copy.from, copy.from_pitch, [](std::uint8_t*, std::size_t) {});
  }

  Status launch(const cuda::Launch& launch, cuda::StreamHandle) override {
    if (!configurable(launch)) return Status::invalid_configuration;
    machine().run(launch);
    return Status::success;
  }

 private:
  template <class Note>
  static Status move(const cuda::Copy& copy, const void* device, std::size_t pitch, const Note& note) {
    for (std::size_t r = 0; r < copy.rows; ++r) {
      std::uint8_t* const written =
          DeviceMemory::written(static_cast<const std::byte*>(device) + r * pitch, copy.row_bytes);
      if (written == nullptr) return Status::invalid_value;
      std::memcpy(static_cast<std::byte*>(copy.to) + r * copy.to_pitch,
                  static_cast<const std::byte*>(copy.from) + r * copy.from_pitch, copy.row_bytes);
      note(written, copy.row_bytes);
    }
    return Status::success;
  }
};

}  // namespace

std::unique_ptr<cuda::Runtime> emulated_runtime() { return std::make_unique<EmulatedRuntime>(); }

}  // namespace plumbline::emulator
