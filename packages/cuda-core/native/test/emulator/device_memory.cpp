#include "test/emulator/device_memory.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

namespace plumbline::emulator {
namespace {

constexpr std::size_t kAlignment = 256;  // of cudaMalloc

struct Free {
  void operator()(void* address) const { std::free(address); }
};

struct Allocation {
  std::unique_ptr<void, Free> memory;
  std::vector<std::uint8_t> written;
};

std::map<std::uintptr_t, Allocation> allocations;
std::size_t capacity_bytes = std::size_t{8} << 30;
std::size_t allocated_bytes = 0;

}  // namespace

void* DeviceMemory::allocate(std::size_t bytes) {
  if (bytes > capacity_bytes - allocated_bytes) return nullptr;
  // Exactly as many, so that the address sanitizer sees the end.
  void* address = nullptr;
  if (::posix_memalign(&address, kAlignment, bytes) != 0) return nullptr;
  std::memset(address, 0xff, bytes);  // NaN as any float
  allocations[reinterpret_cast<std::uintptr_t>(address)] = {std::unique_ptr<void, Free>(address),
                                                            std::vector<std::uint8_t>(bytes)};
  allocated_bytes += bytes;
  return address;
}

bool DeviceMemory::release(void* address) {
  const auto found = allocations.find(reinterpret_cast<std::uintptr_t>(address));
  if (found == allocations.end()) return false;
  allocated_bytes -= found->second.written.size();
  allocations.erase(found);
  return true;
}

std::uint8_t* DeviceMemory::written(const void* address, std::size_t bytes) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  auto found = allocations.upper_bound(at);
  if (found == allocations.begin()) return nullptr;
  --found;
  const std::size_t offset = at - found->first;
  std::vector<std::uint8_t>& written = found->second.written;
  if (offset > written.size() || bytes > written.size() - offset) return nullptr;
  return written.data() + offset;
}

std::size_t DeviceMemory::capacity() { return capacity_bytes; }
void DeviceMemory::set_capacity(std::size_t bytes) { capacity_bytes = bytes; }
std::size_t DeviceMemory::allocated() { return allocated_bytes; }

}  // namespace plumbline::emulator
