#pragma once

#include <cstddef>
#include <cstdint>

namespace plumbline::emulator {

/// The device's memory, on the host: what lies there, and which bytes have been written. Any other address is the host's, which a
/// kernel must not touch.
class DeviceMemory {
 public:
  /// nullptr where there are not as many bytes left.
  static void* allocate(std::size_t bytes);
  /// false for an address that was not allocated.
  static bool release(void* address);
  /// A byte for each byte from `address` on: whether it has been written; nullptr where [address, address + bytes) is not one
  /// allocation's.
  static std::uint8_t* written(const void* address, std::size_t bytes);

  static std::size_t capacity();
  static void set_capacity(std::size_t bytes);
  static std::size_t allocated();
};

}  // namespace plumbline::emulator
