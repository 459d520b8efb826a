#pragma once

#include "backend/backend.h"
#include "backend/cuda/stream.h"

/// The ops of backend.h, each in the file of its name: what they compute is said there. Each enqueues its kernels and returns.
namespace plumbline::cuda {

/// `tokens`: as many as `out` has rows, on the device.
void embedding(const Stream& stream, const Weight& table, const std::uint32_t* tokens, const Matrix& out);
void rms_norm(const Stream& stream, const Matrix& in, const Weight& gain, float epsilon, const Matrix& out);
void linear(const Stream& stream, const Matrix& in, const Projection& projection);
/// `frequencies`: half as many as `out` is wide, on the device.
void rope_angles(const Stream& stream, const double* frequencies, std::uint32_t first_position, const Matrix& out);
void rope(const Stream& stream, const Matrix& heads, std::uint32_t head_length, RopePairing pairing,
          const Matrix& angles);
std::size_t kv_layer_bytes(const HeadShape& shape, std::uint32_t capacity);
void store_kv(const Stream& stream, const Matrix& keys, const Matrix& values, const KvLayer& layer,
              std::uint32_t first_position);
void attention(const Stream& stream, const Matrix& queries, const KvLayer& layer, std::uint32_t first_position,
               float scale, const Matrix& out);
void swiglu(const Stream& stream, const Matrix& gate, const Matrix& up, const Matrix& out);
void add(const Stream& stream, const Matrix& in, const Matrix& residual);

}  // namespace plumbline::cuda
