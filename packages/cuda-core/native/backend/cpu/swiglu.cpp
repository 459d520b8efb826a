#include "backend/cpu/ops.h"

namespace plumbline::cpu::PLUMBLINE_VARIANT {

void swiglu(const SwigluArguments& arguments, const Slice& slice) {
  const std::size_t vectors = arguments.out.stride / kLanes;
  const Range all = share(arguments.out.rows * vectors, slice);
  const F32x16 one = F32x16::broadcast(1.0f);
  for (std::size_t i = all.begin; i < all.end; ++i) {
    const std::size_t r = i / vectors;
    const std::size_t column = i % vectors * kLanes;
    const F32x16 gate = F32x16::load(row(arguments.gate, r) + column);
    const F32x16 up = F32x16::load(row(arguments.up, r) + column);
    (gate / (one + exponential(F32x16::zero() - gate)) * up).store(row(arguments.out, r) + column);
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
