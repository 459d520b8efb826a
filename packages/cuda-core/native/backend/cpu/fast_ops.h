#pragma once

#include "backend/cpu/fast_kernels.h"
#include "backend/cpu/ops.h"

/// The kernels of one variant of `fast`, and what they may do that `exact` must not.
namespace plumbline::cpu::PLUMBLINE_VARIANT {

void fast_rms_norm(const RmsNormArguments& arguments, const Slice& slice);
void online_attention(const AttentionArguments& arguments, const Slice& slice);
void quantise(const QuantiseArguments& arguments, const Slice& slice);
void packed_linear(const PackedLinearArguments& arguments, const Slice& slice);

/// a * b + c, rounded once where the machine can.
PLUMBLINE_INLINE F32x16 multiply_add(const F32x16& a, const F32x16& b, const F32x16& c) {
#if defined(__AVX512F__)
  return {{_mm512_fmadd_ps(a.v[0], b.v[0], c.v[0])}};
#elif defined(__FMA__)
  return {{_mm256_fmadd_ps(a.v[0], b.v[0], c.v[0]), _mm256_fmadd_ps(a.v[1], b.v[1], c.v[1])}};
#else
  return a * b + c;
#endif
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
