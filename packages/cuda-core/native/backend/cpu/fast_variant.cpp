#include "backend/cpu/fast_ops.h"

namespace plumbline::cpu::PLUMBLINE_VARIANT {

const FastKernels kFastKernels = {
    .fast_rms_norm = fast_rms_norm,
    .online_attention = online_attention,
    .quantise = quantise,
    .packed_linear = packed_linear,
};

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
