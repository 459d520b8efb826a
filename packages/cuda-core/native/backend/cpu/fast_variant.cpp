#include "backend/cpu/fast_ops.h"

namespace plumbline::cpu::PLUMBLINE_VARIANT {

const FastKernels kFastKernels = {
    .quantise = quantise,
    .packed_linear = packed_linear,
};

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
