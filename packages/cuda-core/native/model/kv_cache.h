#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "model/hyperparameters.h"

namespace plumbline {

/// Keys and values of every layer, allocated once for the whole context.
class KvCache {
 public:
  KvCache(Backend& backend, const Hyperparameters& hyperparameters, std::uint32_t capacity);

  /// What one of that capacity holds.
  static std::size_t bytes_of(const Backend& backend, const Hyperparameters& hyperparameters, std::uint32_t capacity);

  const KvLayer& layer(std::uint32_t index) const { return layers_[index]; }
  std::uint32_t capacity() const { return capacity_; }
  std::size_t bytes() const { return memory_.bytes(); }

 private:
  std::uint32_t capacity_;
  Memory memory_;
  std::vector<KvLayer> layers_;
};

}  // namespace plumbline
