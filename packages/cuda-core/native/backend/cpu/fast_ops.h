#pragma once

#include "backend/cpu/fast_kernels.h"
#include "backend/cpu/ops.h"

#if defined(__ARM_FEATURE_FMA)
#include <arm_neon.h>
#endif

/// The kernels of one variant of `fast`, and what they may do that `exact` must not.
namespace plumbline::cpu::PLUMBLINE_VARIANT {

void fast_rms_norm(const RmsNormArguments& arguments, const Slice& slice);
void online_attention(const AttentionArguments& arguments, const Slice& slice);
void quantise(const QuantiseArguments& arguments, const Slice& slice);
void packed_linear(const PackedLinearArguments& arguments, const Slice& slice);

/// a * b + c, rounded once, so that all variants compute the same bits. Where the machine has no such instruction it is done in
/// float64: a product of float32 values is exact there, and what is rounded twice comes out otherwise once in 2^29 times.
PLUMBLINE_INLINE F32x16 multiply_add(const F32x16& a, const F32x16& b, const F32x16& c) {
#if defined(__AVX512F__)
  return {{_mm512_fmadd_ps(a.v[0], b.v[0], c.v[0])}};
#elif defined(__FMA__)
  return {{_mm256_fmadd_ps(a.v[0], b.v[0], c.v[0]), _mm256_fmadd_ps(a.v[1], b.v[1], c.v[1])}};
#else
  F32x16 out;
#if defined(__ARM_FEATURE_FMA)
  unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) { out.v[i] = vfmaq_f32(c.v[i], a.v[i], b.v[i]); });
#else
  typedef double Doubles __attribute__((vector_size(2 * kRegisterBytes)));
  unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) {
    const auto exact = __builtin_convertvector(a.v[i], Doubles) * __builtin_convertvector(b.v[i], Doubles);
    out.v[i] = __builtin_convertvector(exact + __builtin_convertvector(c.v[i], Doubles), FloatRegister);
  });
#endif
  return out;
#endif
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
