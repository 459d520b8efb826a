#include "backend/cpu/ops.h"

namespace plumbline::cpu::PLUMBLINE_VARIANT {

void add(const AddArguments& arguments, const Slice& slice) {
  for_each_vector(arguments.in, slice, [&](std::size_t r, std::size_t column) __attribute__((always_inline)) {
    float* residual = row(arguments.residual, r) + column;
    (F32x16::load(residual) + F32x16::load(row(arguments.in, r) + column)).store(residual);
  });
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
