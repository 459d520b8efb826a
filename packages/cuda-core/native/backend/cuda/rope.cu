#include "backend/cuda/launch.h"
#include "backend/cuda/ops.h"
#include "backend/cuda/views.h"

namespace plumbline::cuda {
namespace {

constexpr unsigned kThreads = 128;

/// A block a position. Angles in float64: at position 8191 float32 would be off by half a thousandth.
__global__ void rope_angles_kernel(Global<const double> frequencies, unsigned first_position, Rows<float> out) {
  const unsigned pairs = out.width / 2;
  const double position = static_cast<double>(first_position + blockIdx.x);
  const Global<float> row = out.row(blockIdx.x);
  for (unsigned i = threadIdx.x; i < pairs; i += kThreads) {
    const double angle = position * frequencies[i];
    row[i] = static_cast<float>(cos(angle));
    row[pairs + i] = static_cast<float>(sin(angle));
  }
}

/// A block a position. The two values of pair i lie at i * step and i * step + apart.
__global__ void rope_kernel(Rows<float> heads, unsigned head_length, unsigned step, unsigned apart,
                            Rows<const float> angles) {
  const unsigned pairs = angles.width / 2;
  const Global<float> row = heads.row(blockIdx.x);
  const Global<const float> turn = angles.row(blockIdx.x);
  for (unsigned n = threadIdx.x; n < heads.width / head_length * pairs; n += kThreads) {
    const unsigned i = n % pairs;
    const unsigned first = n / pairs * head_length + i * step;
    const float cosine = turn[i];
    const float sine = turn[pairs + i];
    const float x = row[first];
    const float y = row[first + apart];
    row[first] = x * cosine - y * sine;
    row[first + apart] = x * sine + y * cosine;
  }
}

}  // namespace

void rope_angles(const Stream& stream, const double* frequencies, std::uint32_t first_position, const Matrix& out) {
  launch("rope_angles", rope_angles_kernel, {out.rows}, {kThreads}, 0, stream,
         Global<const double>(frequencies, out.width / 2), first_position, rows_of(out));
}

void rope(const Stream& stream, const Matrix& heads, std::uint32_t head_length, RopePairing pairing,
          const Matrix& angles) {
  const bool neighbours = pairing == RopePairing::neighbours;
  launch("rope", rope_kernel, {heads.rows}, {kThreads}, 0, stream, rows_of(heads), head_length, neighbours ? 2u : 1u,
         neighbours ? 1u : angles.width / 2, const_rows_of(angles));
}

}  // namespace plumbline::cuda
