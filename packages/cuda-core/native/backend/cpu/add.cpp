#include "backend/cpu/ops.h"

namespace plumbline::cpu::PLUMBLINE_VARIANT {

void add(const AddArguments& arguments, const Slice& slice) {
  const std::size_t vectors = arguments.in.stride / kLanes;
  const Range all = share(arguments.in.rows * vectors, slice);
  for (std::size_t i = all.begin; i < all.end; ++i) {
    const std::size_t r = i / vectors;
    const std::size_t column = i % vectors * kLanes;
    float* residual = row(arguments.residual, r) + column;
    (F32x16::load(residual) + F32x16::load(row(arguments.in, r) + column)).store(residual);
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
