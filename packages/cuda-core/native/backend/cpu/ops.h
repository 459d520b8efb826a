#pragma once

#include "backend/cpu/kernels.h"
#include "backend/cpu/vector.h"

/// The kernels of one variant: each is defined in the file of its name.
namespace plumbline::cpu::PLUMBLINE_VARIANT {

void dequantize_row(gguf::Type type, const std::byte* row, std::uint32_t width, float* out);
void linear(const LinearArguments& arguments, const Slice& slice);
void embedding(const EmbeddingArguments& arguments, const Slice& slice);
void rms_norm(const RmsNormArguments& arguments, const Slice& slice);
void rope_angles(const RopeAnglesArguments& arguments, const Slice& slice);
void rope(const RopeArguments& arguments, const Slice& slice);
void store_kv(const StoreKvArguments& arguments, const Slice& slice);
void attention(const AttentionArguments& arguments, const Slice& slice);
void swiglu(const SwigluArguments& arguments, const Slice& slice);
void add(const AddArguments& arguments, const Slice& slice);

struct Range {
  std::size_t begin;
  std::size_t end;
};

/// The slice's share of `total` things: contiguous, and the same for each call.
PLUMBLINE_INLINE Range share(std::size_t total, const Slice& slice) {
  return {total * slice.index / slice.count, total * (slice.index + 1) / slice.count};
}

PLUMBLINE_INLINE float* row(const Matrix& matrix, std::size_t index) { return matrix.data + index * matrix.stride; }

/// Calls body(row, column) for each vector of the slice's share of a matrix.
template <class Body>
PLUMBLINE_INLINE void for_each_vector(const Matrix& matrix, const Slice& slice, const Body& body) {
  const std::size_t vectors = matrix.stride / kLanes;
  const Range all = share(matrix.rows * vectors, slice);
  std::size_t r = all.begin / vectors;
  std::size_t v = all.begin % vectors;
  for (std::size_t i = all.begin; i < all.end; ++i) {
    body(r, v * kLanes);
    if (++v == vectors) {
      v = 0;
      ++r;
    }
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
