#pragma once

#include "backend/backend.h"
#include "backend/cuda/kernel.h"

namespace plumbline::cuda {

/// A Matrix as kernels see it.
template <class T>
struct Rows {
  Global<T> values;
  unsigned rows = 0;
  unsigned width = 0;
  unsigned stride = 0;

  /// With the zeros behind its end.
  __device__ Global<T> row(std::size_t index) const { return values.part(index * stride, stride); }
};

inline Rows<float> rows_of(const Matrix& matrix) {
  return {{matrix.data, std::size_t{matrix.rows} * matrix.stride}, matrix.rows, matrix.width, matrix.stride};
}

inline Rows<const float> const_rows_of(const Matrix& matrix) {
  return {{matrix.data, std::size_t{matrix.rows} * matrix.stride}, matrix.rows, matrix.width, matrix.stride};
}

/// The blocks of a weight's rows as they lie in the file.
struct WeightRows {
  Global<const std::byte> bytes;
  std::size_t row_bytes = 0;

  __device__ Global<const std::byte> row(std::size_t index) const { return bytes.part(index * row_bytes, row_bytes); }
};

inline WeightRows weight_rows_of(const Weight& weight) {
  return {{weight.data, weight.rows * weight.row_bytes}, weight.row_bytes};
}

/// A vector of float32; a view of nothing where there is none.
inline Global<const float> floats_of(const Weight* weight) {
  if (weight == nullptr) return {};
  return {reinterpret_cast<const float*>(weight->data), weight->width};
}

/// Keys and values of a layer, float32. Keys lie interleaved, so that the lanes of a warp, a position each, read neighbours:
/// [kv_head][position / 32][key_length][32]; values [kv_head][position][value_length].
struct KvView {
  Global<float> keys;
  Global<float> values;
  HeadShape shape;
  unsigned positions;  ///< capacity, rounded up to whole warps

  __device__ std::size_t key(unsigned kv_head, unsigned position, unsigned i) const {
    const std::size_t block = std::size_t{kv_head} * (positions / kWarpSize) + position / kWarpSize;
    return (block * shape.key_length + i) * kWarpSize + position % kWarpSize;
  }
  __device__ std::size_t value(unsigned kv_head, unsigned position, unsigned i) const {
    return (std::size_t{kv_head} * positions + position) * shape.value_length + i;
  }
};

inline unsigned kv_positions(std::uint32_t capacity) { return (capacity + kWarpSize - 1) / kWarpSize * kWarpSize; }

inline KvView kv_view_of(const KvLayer& layer) {
  const unsigned positions = kv_positions(layer.capacity);
  const std::size_t keys = std::size_t{positions} * layer.shape.kv_heads * layer.shape.key_length;
  const std::size_t values = std::size_t{positions} * layer.shape.kv_heads * layer.shape.value_length;
  float* const data = reinterpret_cast<float*>(layer.data);
  return {{data, keys}, {data + keys, values}, layer.shape, positions};
}

}  // namespace plumbline::cuda
