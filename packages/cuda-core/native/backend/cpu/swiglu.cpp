#include "backend/cpu/ops.h"

namespace plumbline::cpu::PLUMBLINE_VARIANT {

void swiglu(const SwigluArguments& arguments, const Slice& slice) {
  const F32x16 one = F32x16::broadcast(1.0f);
  for_each_vector(arguments.out, slice, [&](std::size_t r, std::size_t column) __attribute__((always_inline)) {
    const F32x16 gate = F32x16::load(row(arguments.gate, r) + column);
    const F32x16 up = F32x16::load(row(arguments.up, r) + column);
    (gate / (one + exponential(F32x16::zero() - gate)) * up).store(row(arguments.out, r) + column);
  });
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
