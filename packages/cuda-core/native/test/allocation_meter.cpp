#include "allocation_meter.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> live_bytes = 0;
std::atomic<std::size_t> peak_bytes = 0;
std::atomic<std::size_t> allocations = 0;

}  // namespace

// Replacing these replaces all of the standard forms but the over-aligned ones (a sanitizer has its own of each).
void* operator new(std::size_t size) {
  ++allocations;
  void* const address = std::malloc(size);
  if (address == nullptr) throw std::bad_alloc();
  const std::size_t live = live_bytes += malloc_usable_size(address);
  std::size_t peak = peak_bytes;
  while (live > peak && !peak_bytes.compare_exchange_weak(peak, live)) {
  }
  return address;
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void operator delete(void* address) noexcept {
  if (address != nullptr) live_bytes -= malloc_usable_size(address);
  std::free(address);
}

void operator delete(void* address, std::size_t) noexcept { operator delete(address); }

namespace plumbline::test {

AllocationMeter::AllocationMeter() : before_(live_bytes), allocations_before_(::allocations) { ::peak_bytes = before_; }

std::size_t AllocationMeter::peak_bytes() const { return ::peak_bytes - before_; }

std::size_t AllocationMeter::allocations() const { return ::allocations - allocations_before_; }

}  // namespace plumbline::test
