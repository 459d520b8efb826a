#include "backend/cuda/formats.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/ops.h"
#include "backend/cuda/views.h"

namespace plumbline::cuda {
namespace {

constexpr unsigned kThreads = 128;

/// A block a row.
template <class Format>
__global__ void embedding_kernel(WeightRows table, Global<const std::uint32_t> tokens, Rows<float> out) {
  const Bytes row = table.row(tokens[blockIdx.x]);
  const Global<float> values = out.row(blockIdx.x);
  for (unsigned i = threadIdx.x; i < out.width; i += kThreads) values[i] = Format::value(row, i);
}

}  // namespace

void embedding(const Stream& stream, const Weight& table, const std::uint32_t* tokens, const Matrix& out) {
  with_format(table.type, [&]<class Format>(Format) {
    launch("embedding", embedding_kernel<Format>, {out.rows}, {kThreads}, 0, stream, weight_rows_of(table),
           Global<const std::uint32_t>(tokens, out.rows), rows_of(out));
  });
}

}  // namespace plumbline::cuda
