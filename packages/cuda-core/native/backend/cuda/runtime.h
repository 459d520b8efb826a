#pragma once

#include <cstddef>
#include <string>

/// The calls of the CUDA runtime that the backend makes, each a virtual function: device_runtime.h makes them, the emulator
/// (native/test/emulator) plays them on the host, and a test can make any of them fail.
namespace plumbline::cuda {

/// Those of cudaError_t that somebody here looks for, by their numbers; any other number is passed on as it is.
enum class Status : int {
  success = 0,
  invalid_value = 1,
  out_of_memory = 2,
  invalid_configuration = 9,
  insufficient_driver = 35,
  devices_unavailable = 46,
  no_device = 100,
  illegal_address = 700,
  launch_failure = 719,
};

struct Size3 {
  unsigned x = 1;
  unsigned y = 1;
  unsigned z = 1;
};

using StreamHandle = void*;

/// A kernel and what it is called with.
struct Launch {
  const char* kernel;      ///< its name, for messages
  const void* function;    ///< its address
  void** arguments;        ///< a pointer to each, of exactly the parameter's type
  /// Calls it as a function of the host, for one thread of the emulator; null on a device.
  void (*call)(const void* function, void** arguments);
  Size3 grid;
  Size3 block;
  std::size_t shared_bytes;
};

/// `rows` rows of `row_bytes` each, whose beginnings lie `to_pitch` and `from_pitch` bytes apart.
struct Copy {
  void* to;
  std::size_t to_pitch;
  const void* from;
  std::size_t from_pitch;
  std::size_t row_bytes;
  std::size_t rows;
};

class Runtime {
 public:
  virtual ~Runtime() = default;
  Runtime() = default;
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// The device's name, e.g. "NVIDIA H200".
  virtual std::string device() const = 0;
  /// For a person, with the name of the constant.
  virtual std::string describe(Status status) const = 0;

  virtual Status memory_info(std::size_t& free_bytes, std::size_t& total_bytes) = 0;
  /// Not initialised; aligned to 256 bytes.
  virtual Status allocate(void*& address, std::size_t bytes) = 0;
  virtual Status release(void* address) = 0;
  /// The host's memory that the device copies from by itself, at its own speed and while the host goes on.
  virtual Status allocate_pinned(void*& address, std::size_t bytes) = 0;
  virtual Status release_pinned(void* address) = 0;
  virtual Status create_stream(StreamHandle& stream) = 0;
  virtual Status destroy_stream(StreamHandle stream) = 0;
  virtual Status synchronize(StreamHandle stream) = 0;
  virtual Status zero(void* address, std::size_t bytes, StreamHandle stream) = 0;
  /// From the host's memory, which may be changed as soon as this returns; where it is pinned, once the stream is synchronized.
  virtual Status copy_in(const Copy& copy, StreamHandle stream) = 0;
  /// To the host's pageable memory, complete once the stream is synchronized.
  virtual Status copy_out(const Copy& copy, StreamHandle stream) = 0;
  virtual Status launch(const Launch& launch, StreamHandle stream) = 0;
};

}  // namespace plumbline::cuda
