#include "backend/cpu/fast_ops.h"

#include <math.h>

namespace plumbline::cpu::PLUMBLINE_VARIANT {

/// In float32, two sums so that neither waits for the other.
void fast_rms_norm(const RmsNormArguments& arguments, const Slice& slice) {
  const std::size_t stride = arguments.in.stride;
  const std::size_t width = arguments.in.width;
  const Range rows = share(arguments.in.rows, slice);
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    const float* in = row(arguments.in, r);
    float* out = row(arguments.out, r);
    F32x16 sums[2] = {F32x16::zero(), F32x16::zero()};
    std::size_t i = 0;
    for (; i + 2 * kLanes <= stride; i += 2 * kLanes) {
      unrolled<2>(PLUMBLINE_UNROLLED(j) {
        const F32x16 x = F32x16::load(in + i + j * kLanes);
        sums[j] = multiply_add(x, x, sums[j]);
      });
    }
    if (i < stride) {
      const F32x16 x = F32x16::load(in + i);
      sums[0] = multiply_add(x, x, sums[0]);
    }
    const float mean = sum(sums[0] + sums[1]) / static_cast<float>(width);
    const float factor = 1.0f / ::sqrtf(mean + arguments.epsilon);
    const F32x16 scale = F32x16::broadcast(factor);
    for (i = 0; i + kLanes <= width; i += kLanes) {
      (F32x16::load(in + i) * scale * F32x16::load(arguments.gain + i)).store(out + i);
    }
    for (; i < width; ++i) out[i] = in[i] * factor * arguments.gain[i];
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
