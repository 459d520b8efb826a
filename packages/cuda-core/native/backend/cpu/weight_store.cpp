#include "backend/cpu/weight_store.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "error.h"

namespace plumbline::cpu {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kChunk = std::size_t{64} << 20;
constexpr std::size_t kAlignment = 64;

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

WeightStore::~WeightStore() {
  for (const std::span<std::byte> chunk : chunks_) ::munmap(chunk.data(), chunk.size());
}

std::byte* WeightStore::allocate(std::size_t bytes) {
  const std::size_t rounded = round_up(bytes, kAlignment);
  if (rounded > free_.size()) {
    // A huge page more than asked for, so that there is a place in it where huge pages can begin.
    const std::size_t size = std::max(round_up(rounded, kHugePage), kChunk) + kHugePage;
    chunks_.reserve(chunks_.size() + 1);
    void* const address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED) {
      throw Error(ErrorCode::out_of_memory, "out of memory: " + std::to_string(bytes) + " bytes asked for packed weights",
                  {{"bytes", std::uint64_t{bytes}}});
    }
    chunks_.emplace_back(static_cast<std::byte*>(address), size);
    const auto place = reinterpret_cast<std::uintptr_t>(address);
    free_ = chunks_.back().subspan(round_up(place, kHugePage) - place);
#if defined(MADV_HUGEPAGE)
    ::madvise(free_.data(), free_.size(), MADV_HUGEPAGE);  // a wish; refused where the system has none
#endif
  }
  std::byte* const out = free_.data();
  free_ = free_.subspan(rounded);
  return out;
}

}  // namespace plumbline::cpu
