#include <cmath>

#include "backend/cuda/launch.h"
#include "backend/cuda/ops.h"
#include "backend/cuda/reduce.h"
#include "backend/cuda/views.h"

namespace plumbline::cuda {
namespace {

constexpr unsigned kThreads = 128;
/// Positions that are weighed together. What came before is scaled to the new maximum (online softmax: Milakov & Gimelshein 2018,
/// arXiv:1805.02867), so the order of all sums depends on the row's position alone.
constexpr unsigned kSplit = 256;
/// Positions whose values are summed before they are added to the others': fewer roundings meet in one sum.
constexpr unsigned kPart = 64;

std::size_t shared_bytes(const HeadShape& shape) {
  return shared_bytes_of<float>(kThreads / kWarpSize) + shared_bytes_of<float>(shape.key_length) +
         shared_bytes_of<float>(kSplit) + shared_bytes_of<float>(shape.value_length);
}

/// A block a query row and head.
__global__ void attention_kernel(Rows<const float> queries, KvView cache, unsigned first_position, float scale,
                                 Rows<float> out) {
  const unsigned key_length = cache.shape.key_length;
  const unsigned value_length = cache.shape.value_length;
  SharedMemory shared;
  const Shared<float> scratch = shared.take<float>(kThreads / kWarpSize);
  const Shared<float> query = shared.take<float>(key_length);
  const Shared<float> weights = shared.take<float>(kSplit);
  const Shared<float> sums = shared.take<float>(value_length);  // each value is one thread's own

  const unsigned head = blockIdx.y;
  const unsigned kv_head = head / (cache.shape.heads / cache.shape.kv_heads);
  const unsigned positions = first_position + blockIdx.x + 1;
  const Global<const float> row = queries.row(blockIdx.x);
  for (unsigned i = threadIdx.x; i < key_length; i += kThreads) query[i] = row[head * key_length + i];
  for (unsigned i = threadIdx.x; i < value_length; i += kThreads) sums[i] = 0.0f;
  sync_threads();

  float most = -INFINITY;
  float total = 0.0f;
  for (unsigned begin = 0; begin < positions; begin += kSplit) {
    const unsigned count = positions - begin < kSplit ? positions - begin : kSplit;
    float own_most = -INFINITY;
    for (unsigned p = threadIdx.x; p < count; p += kThreads) {
      float parts[4] = {};
      for (unsigned i = 0; i < key_length; ++i) parts[i % 4] += query[i] * cache.keys[cache.key(kv_head, begin + p, i)];
      const float score = ((parts[0] + parts[1]) + (parts[2] + parts[3])) * scale;
      weights[p] = score;
      own_most = fmaxf(own_most, score);
    }
    const float next_most = fmaxf(most, reduce_block<Largest>(own_most, scratch));
    const float kept = expf(most - next_most);
    most = next_most;

    float own_total = 0.0f;
    for (unsigned p = threadIdx.x; p < count; p += kThreads) {
      const float weight = expf(weights[p] - most);
      weights[p] = weight;
      own_total += weight;
    }
    // Its barriers also show every thread the weights.
    total = total * kept + reduce_block<Sum>(own_total, scratch);

    for (unsigned i = threadIdx.x; i < value_length; i += kThreads) {
      float sum = 0.0f;
      for (unsigned first = 0; first < count; first += kPart) {
        float part = 0.0f;
        for (unsigned p = first; p < first + kPart && p < count; ++p) {
          part += weights[p] * cache.values[cache.value(kv_head, begin + p, i)];
        }
        sum += part;
      }
      sums[i] = sums[i] * kept + sum;
    }
    sync_threads();
  }
  const Global<float> attended = out.row(blockIdx.x);
  for (unsigned i = threadIdx.x; i < value_length; i += kThreads) attended[head * value_length + i] = sums[i] / total;
}

}  // namespace

void attention(const Stream& stream, const Matrix& queries, const KvLayer& layer, std::uint32_t first_position,
               float scale, const Matrix& out) {
  launch("attention", attention_kernel, {queries.rows, layer.shape.heads}, {kThreads}, shared_bytes(layer.shape),
         stream, const_rows_of(queries), kv_view_of(layer), first_position, scale, rows_of(out));
}

}  // namespace plumbline::cuda
