#include "backend/cpu/ops.h"

namespace plumbline::cpu::PLUMBLINE_VARIANT {

#define PLUMBLINE_TEXT_OF(x) #x
#define PLUMBLINE_TEXT(x) PLUMBLINE_TEXT_OF(x)

const Kernels kKernels = {
    .variant = PLUMBLINE_TEXT(PLUMBLINE_VARIANT),
    .dequantize_row = dequantize_row,
    .linear = linear,
    .embedding = embedding,
    .rms_norm = rms_norm,
    .rope_angles = rope_angles,
    .rope = rope,
    .store_kv = store_kv,
    .attention = attention,
    .swiglu = swiglu,
    .add = add,
};

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
