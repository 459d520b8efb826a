#include <algorithm>

#include "backend/cuda/formats.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/ops.h"
#include "backend/cuda/reduce.h"
#include "backend/cuda/views.h"

namespace plumbline::cuda {
namespace {

constexpr unsigned kWarps = 4;
/// The most blocks that a grid may have in y.
constexpr unsigned kMostBlocks = 65'535;

/// A warp an output: lane j adds the products of elements j, j + 32, j + 64 … in that order, then the lanes are summed as a tree, then
/// comes the bias. So the bits do not depend on how many input rows come at a time.
template <class Format>
__global__ void linear_kernel(Rows<const float> in, WeightRows weight, Global<const float> bias, Rows<float> out) {
  const unsigned output = blockIdx.x * kWarps + threadIdx.x / kWarpSize;
  const unsigned lane = threadIdx.x % kWarpSize;
  // A warp leaves as a whole, so that the shuffles miss nobody.
  if (output >= out.width) return;
  const Bytes weights = weight.row(output);
  for (unsigned r = blockIdx.y; r < in.rows; r += gridDim.y) {
    const Global<const float> x = in.row(r);
    float dot = 0.0f;
    for (unsigned i = lane; i < in.width; i += kWarpSize) dot += Format::value(weights, i) * x[i];
    dot = reduce_warp<Sum>(dot);
    if (lane != 0) continue;
    if (bias) dot += bias[output];
    out.row(r)[output] = dot;
  }
}

}  // namespace

void linear(const Stream& stream, const Matrix& in, const Projection& projection) {
  const Weight& weight = *projection.weight;
  with_format(weight.type, [&]<class Format>(Format) {
    launch("linear", linear_kernel<Format>, {blocks_of(weight.rows, kWarps), std::min(in.rows, kMostBlocks)},
           {kWarps * kWarpSize}, 0, stream, const_rows_of(in), weight_rows_of(weight), floats_of(projection.bias),
           rows_of(projection.out));
  });
}

}  // namespace plumbline::cuda
