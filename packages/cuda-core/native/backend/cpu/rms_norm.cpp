#include "backend/cpu/ops.h"

#include <math.h>

namespace plumbline::cpu::PLUMBLINE_VARIANT {

/// In float64 throughout, rounded once at the end: sixteen sums of squares (exact products), then one tree.
void rms_norm(const RmsNormArguments& arguments, const Slice& slice) {
  const std::size_t stride = arguments.in.stride;
  const Range rows = share(arguments.in.rows, slice);
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    const float* in = row(arguments.in, r);
    float* out = row(arguments.out, r);
    double sums[kLanes] = {};
    for (std::size_t i = 0; i < stride; i += kLanes) {
      for (std::size_t j = 0; j < kLanes; ++j) {
        const double x = static_cast<double>(in[i + j]);
        sums[j] += x * x;
      }
    }
    for (std::size_t apart = kLanes / 2; apart > 0; apart /= 2) {
      for (std::size_t j = 0; j < apart; ++j) sums[j] += sums[j + apart];
    }
    const double mean = sums[0] / static_cast<double>(arguments.in.width);
    const double scale = 1.0 / ::sqrt(mean + static_cast<double>(arguments.epsilon));
    for (std::size_t i = 0; i < arguments.in.width; ++i) {
      out[i] = static_cast<float>(static_cast<double>(in[i]) * scale * static_cast<double>(arguments.gain[i]));
    }
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
