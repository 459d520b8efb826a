#include "backend/cuda/launch.h"
#include "backend/cuda/ops.h"
#include "backend/cuda/views.h"

namespace plumbline::cuda {
namespace {

constexpr unsigned kThreads = 128;

__device__ float silu_times(float gate, float up) { return gate / (1.0f + expf(-gate)) * up; }

/// Four values a thread; what lies behind a row's end is zero, and stays so.
__global__ void swiglu_kernel(Rows<const float> gate, Rows<const float> up, Rows<float> out) {
  const unsigned i = (blockIdx.y * blockDim.x + threadIdx.x) * 4;
  if (i >= out.width) return;
  const float4 g = gate.row(blockIdx.x).load4(i);
  const float4 u = up.row(blockIdx.x).load4(i);
  out.row(blockIdx.x)
      .store4(i, {silu_times(g.x, u.x), silu_times(g.y, u.y), silu_times(g.z, u.z), silu_times(g.w, u.w)});
}

}  // namespace

void swiglu(const Stream& stream, const Matrix& gate, const Matrix& up, const Matrix& out) {
  launch("swiglu", swiglu_kernel, {out.rows, blocks_of(out.width, 4 * kThreads)}, {kThreads}, 0, stream,
         const_rows_of(gate), const_rows_of(up), rows_of(out));
}

}  // namespace plumbline::cuda
