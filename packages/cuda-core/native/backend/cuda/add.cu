#include "backend/cuda/launch.h"
#include "backend/cuda/ops.h"
#include "backend/cuda/views.h"

namespace plumbline::cuda {
namespace {

constexpr unsigned kThreads = 128;

/// Four values a thread; what lies behind a row's end is zero, and stays so.
__global__ void add_kernel(Rows<const float> in, Rows<float> residual) {
  const unsigned i = (blockIdx.y * blockDim.x + threadIdx.x) * 4;
  if (i >= in.width) return;
  const float4 x = in.row(blockIdx.x).load4(i);
  float4 sum = residual.row(blockIdx.x).load4(i);
  sum.x += x.x;
  sum.y += x.y;
  sum.z += x.z;
  sum.w += x.w;
  residual.row(blockIdx.x).store4(i, sum);
}

}  // namespace

void add(const Stream& stream, const Matrix& in, const Matrix& residual) {
  launch("add", add_kernel, {in.rows, blocks_of(in.width, 4 * kThreads)}, {kThreads}, 0, stream, const_rows_of(in),
         rows_of(residual));
}

}  // namespace plumbline::cuda
