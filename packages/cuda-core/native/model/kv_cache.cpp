#include "model/kv_cache.h"

namespace plumbline {

std::size_t KvCache::bytes_of(const Backend& backend, const Hyperparameters& hyperparameters, std::uint32_t capacity) {
  return backend.kv_layer_bytes(hyperparameters.heads, capacity) * hyperparameters.layers;
}

KvCache::KvCache(Backend& backend, const Hyperparameters& hyperparameters, std::uint32_t capacity)
    : capacity_(capacity) {
  const std::size_t layer_bytes = backend.kv_layer_bytes(hyperparameters.heads, capacity);
  memory_ = backend.allocate(bytes_of(backend, hyperparameters, capacity));
  auto* data = static_cast<std::byte*>(memory_.address());
  layers_.reserve(hyperparameters.layers);
  for (std::uint32_t i = 0; i < hyperparameters.layers; ++i) {
    layers_.push_back({hyperparameters.heads, capacity, data + i * layer_bytes});
  }
}

}  // namespace plumbline
