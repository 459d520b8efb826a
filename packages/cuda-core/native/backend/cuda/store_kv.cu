#include "backend/cuda/launch.h"
#include "backend/cuda/ops.h"
#include "backend/cuda/views.h"

namespace plumbline::cuda {
namespace {

constexpr unsigned kThreads = 128;

/// A block a position.
__global__ void store_kv_kernel(Rows<const float> keys, Rows<const float> values, KvView cache,
                                unsigned first_position) {
  const unsigned position = first_position + blockIdx.x;
  const unsigned key_length = cache.shape.key_length;
  const unsigned value_length = cache.shape.value_length;
  const Global<const float> key = keys.row(blockIdx.x);
  for (unsigned i = threadIdx.x; i < keys.width; i += kThreads) {
    cache.keys[cache.key(i / key_length, position, i % key_length)] = key[i];
  }
  const Global<const float> value = values.row(blockIdx.x);
  for (unsigned i = threadIdx.x; i < values.width; i += kThreads) {
    cache.values[cache.value(i / value_length, position, i % value_length)] = value[i];
  }
}

}  // namespace

std::size_t kv_layer_bytes(const HeadShape& shape, std::uint32_t capacity) {
  return std::size_t{kv_positions(capacity)} * shape.kv_heads * (shape.key_length + shape.value_length) * sizeof(float);
}

void store_kv(const Stream& stream, const Matrix& keys, const Matrix& values, const KvLayer& layer,
              std::uint32_t first_position) {
  launch("store_kv", store_kv_kernel, {keys.rows}, {kThreads}, 0, stream, const_rows_of(keys), const_rows_of(values),
         kv_view_of(layer), first_position);
}

}  // namespace plumbline::cuda
