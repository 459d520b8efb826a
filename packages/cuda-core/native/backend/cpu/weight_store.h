#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace plumbline::cpu {

/// Memory for packed weights, given back all at once: tensors of all sizes side by side in pages of 2 MiB, where the system
/// has them, so that walking through gigabytes misses few translations. Pages cost nothing before they are written.
class WeightStore {
 public:
  WeightStore() = default;
  ~WeightStore();
  WeightStore(const WeightStore&) = delete;
  WeightStore& operator=(const WeightStore&) = delete;

  /// Zeros, at a multiple of 64 bytes. Throws OUT_OF_MEMORY.
  std::byte* allocate(std::size_t bytes);

 private:
  std::vector<std::span<std::byte>> chunks_;
  std::span<std::byte> free_;  ///< what is left of the last chunk
};

}  // namespace plumbline::cpu
