#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/backend.h"

/// The seam between the backend and its kernels, which are compiled once a variant. Plain data and function pointers:
/// see vector.h for why nothing else may cross.
namespace plumbline::cpu {

/// The part of an op that one call does: `index` of `count`. The split moves no bit of the result, since every value is
/// computed whole by one call, in the same order whichever it is.
struct Slice {
  unsigned index;
  unsigned count;
  float* scratch;  ///< as many floats as the op asked for, the calling thread's own
};

/// Output rows whose weights `linear` dequantises at a time. Its scratch holds as many rows.
inline constexpr std::uint32_t kLinearRows = 4;
/// Positions whose keys lie interleaved in the cache: [head][position / 16][key_length][16].
inline constexpr std::uint32_t kKeyBlock = 16;

struct LinearArguments {
  Matrix in;
  const Projection* projections;
  std::size_t projection_count;
};

struct EmbeddingArguments {
  const Weight* table;
  const std::uint32_t* tokens;
  Matrix out;
};

struct RmsNormArguments {
  Matrix in;
  const float* gain;
  float epsilon;
  Matrix out;
};

struct RopeAnglesArguments {
  const double* frequencies;
  std::uint32_t first_position;
  Matrix out;
};

struct RopeArguments {
  Matrix heads;
  std::uint32_t head_length;
  RopePairing pairing;
  Matrix angles;
};

struct StoreKvArguments {
  Matrix keys;
  Matrix values;
  KvLayer layer;
  std::uint32_t first_position;
};

struct AttentionArguments {
  Matrix queries;
  KvLayer layer;
  std::uint32_t first_position;
  float scale;
  Matrix out;
};

struct SwigluArguments {
  Matrix gate;
  Matrix up;
  Matrix out;
};

struct AddArguments {
  Matrix in;
  Matrix residual;
};

/// Where a layer of the cache holds what, in floats.
struct KvLayout {
  std::size_t key_head;     ///< from one head's keys to the next one's
  std::size_t value_head;   ///< from one head's values to the next one's
  std::size_t value_row;    ///< from one position's values to the next one's: value_length rounded up to whole vectors
  std::size_t values;       ///< from the first key to the first value
};

inline __attribute__((always_inline)) KvLayout kv_layout(const HeadShape& shape, std::uint32_t capacity) {
  const std::size_t positions = (std::size_t{capacity} + kKeyBlock - 1) / kKeyBlock * kKeyBlock;
  const std::size_t value_row = (std::size_t{shape.value_length} + 15) / 16 * 16;
  const std::size_t key_head = positions * shape.key_length;
  return {key_head, positions * value_row, value_row, key_head * shape.kv_heads};
}

struct Kernels {
  const char* variant;
  /// `width` values of a row. Writes up to the next multiple of 16, with zeros.
  void (*dequantize_row)(gguf::Type type, const std::byte* row, std::uint32_t width, float* out);
  void (*linear)(const LinearArguments&, const Slice&);
  void (*embedding)(const EmbeddingArguments&, const Slice&);
  void (*rms_norm)(const RmsNormArguments&, const Slice&);
  void (*rope_angles)(const RopeAnglesArguments&, const Slice&);
  void (*rope)(const RopeArguments&, const Slice&);
  void (*store_kv)(const StoreKvArguments&, const Slice&);
  void (*attention)(const AttentionArguments&, const Slice&);
  void (*swiglu)(const SwigluArguments&, const Slice&);
  void (*add)(const AddArguments&, const Slice&);
};

namespace portable { extern const Kernels kKernels; }
namespace avx2 { extern const Kernels kKernels; }
namespace avx512 { extern const Kernels kKernels; }

}  // namespace plumbline::cpu
