#pragma once

#include "backend/cpu/kernels.h"
#include "backend/cpu/packed.h"

/// The kernels that only `fast` uses: a second table, since they are compiled for more than `exact`'s may use (fused
/// multiply-adds, integer dot products), into namespaces of their own.
namespace plumbline::cpu {

struct QuantiseArguments {
  Matrix in;             ///< of a width that is a multiple of kBlockValues
  ActivationBlock* out;  ///< row after row
};

struct PackedLinearArguments {
  Matrix in;
  const ActivationBlock* quantised;  ///< the same rows; nothing where all weights are floats
  const Projection* projections;     ///< of packed weights
  std::size_t projection_count;
};

/// Positions that online_attention takes together, and the most queries. Its scratch: so many scores and one head of output
/// for each of them.
inline constexpr std::uint32_t kAttentionBlock = 64;
inline constexpr std::uint32_t kAttentionQueries = 4;

struct FastKernels {
  void (*fast_rms_norm)(const RmsNormArguments&, const Slice&);
  void (*online_attention)(const AttentionArguments&, const Slice&);
  void (*quantise)(const QuantiseArguments&, const Slice&);
  void (*packed_linear)(const PackedLinearArguments&, const Slice&);
};

namespace fast_portable { extern const FastKernels kFastKernels; }
namespace fast_avx2 { extern const FastKernels kFastKernels; }    ///< AVX2, FMA, F16C
namespace fast_avx512 { extern const FastKernels kFastKernels; }  ///< AVX-512 F, BW, VL, DQ, VNNI

}  // namespace plumbline::cpu
