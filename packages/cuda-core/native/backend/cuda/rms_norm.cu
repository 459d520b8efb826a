#include "backend/cuda/launch.h"
#include "backend/cuda/ops.h"
#include "backend/cuda/reduce.h"
#include "backend/cuda/views.h"

namespace plumbline::cuda {
namespace {

constexpr unsigned kThreads = 128;

/// A block a row, in float64 throughout, rounded once at the end.
__global__ void rms_norm_kernel(Rows<const float> in, Global<const float> gain, float epsilon, Rows<float> out) {
  SharedMemory shared;
  const Shared<double> scratch = shared.take<double>(kThreads / kWarpSize);
  const Global<const float> x = in.row(blockIdx.x);
  double squares = 0.0;
  for (unsigned i = threadIdx.x; i < in.width; i += kThreads) {
    const double value = static_cast<double>(x[i]);
    squares += value * value;
  }
  const double mean = reduce_block<Sum>(squares, scratch) / static_cast<double>(in.width);
  const double scale = 1.0 / sqrt(mean + static_cast<double>(epsilon));
  const Global<float> values = out.row(blockIdx.x);
  for (unsigned i = threadIdx.x; i < in.width; i += kThreads) {
    values[i] = static_cast<float>(static_cast<double>(x[i]) * scale * static_cast<double>(gain[i]));
  }
}

}  // namespace

void rms_norm(const Stream& stream, const Matrix& in, const Weight& gain, float epsilon, const Matrix& out) {
  launch("rms_norm", rms_norm_kernel, {in.rows}, {kThreads}, shared_bytes_of<double>(kThreads / kWarpSize), stream,
         const_rows_of(in), floats_of(&gain), epsilon, rows_of(out));
}

}  // namespace plumbline::cuda
