#include "backend/cpu/ops.h"

/// One query row and head at a time, over all of its positions, in two passes: scores, then the weighted sum of the
/// values. The order of all sums depends on the row's position alone.
namespace plumbline::cpu::PLUMBLINE_VARIANT {
namespace {

static_assert(kKeyBlock == kLanes);

/// scores[p] = scale * query . key p, sixteen positions at a time, one a lane; four partial sums over the head's values.
/// What lies beyond `positions` is computed too, and means nothing.
void score(const float* query, const float* keys, std::size_t key_length, std::size_t positions, float scale,
           float* scores) {
  const F32x16 scales = F32x16::broadcast(scale);
  for (std::size_t p = 0; p < positions; p += kKeyBlock) {
    const float* block = keys + p * key_length;
    F32x16 sums[4];
    unrolled<4>(PLUMBLINE_UNROLLED(j) { sums[j] = F32x16::zero(); });
    std::size_t i = 0;
    for (; i + 4 <= key_length; i += 4) {
      unrolled<4>(PLUMBLINE_UNROLLED(j) {
        sums[j] += F32x16::broadcast(query[i + j]) * F32x16::load(block + (i + j) * kKeyBlock);
      });
    }
    for (; i < key_length; ++i) sums[0] += F32x16::broadcast(query[i]) * F32x16::load(block + i * kKeyBlock);
    (((sums[0] + sums[1]) + (sums[2] + sums[3])) * scales).store(scores + p);
  }
}

/// scores[p] becomes e^(scores[p] - max) for p < positions, and 0 up to the next multiple of 16. Returns their sum:
/// float32 over 256 positions, float64 from there.
double exponentiate(float* scores, std::size_t positions) {
  const std::size_t padded = (positions + kLanes - 1) / kLanes * kLanes;
  for (std::size_t p = positions; p < padded; ++p) scores[p] = scores[0];
  F32x16 maxima = F32x16::load(scores);
  for (std::size_t p = kLanes; p < padded; p += kLanes) maxima = maximum(maxima, F32x16::load(scores + p));
  const F32x16 most = F32x16::broadcast(largest(maxima));
  for (std::size_t p = 0; p < padded; p += kLanes) exponential(F32x16::load(scores + p) - most).store(scores + p);
  for (std::size_t p = positions; p < padded; ++p) scores[p] = 0.0f;
  double total = 0;
  for (std::size_t first = 0; first < padded; first += 256) {
    F32x16 sums = F32x16::zero();
    const std::size_t end = first + 256 < padded ? first + 256 : padded;
    for (std::size_t p = first; p < end; p += kLanes) sums += F32x16::load(scores + p);
    total += static_cast<double>(sum(sums));
  }
  return total;
}

/// out = sum of weights[p] * values[p] / total over Vectors * 16 values of a head: sums over 64 positions, then their sum.
template <unsigned Vectors>
PLUMBLINE_INLINE void weigh(const float* weights, const float* values, std::size_t value_row, std::size_t positions,
                            float total, float* out) {
  F32x16 sums[Vectors];
  unrolled<Vectors>(PLUMBLINE_UNROLLED(v) { sums[v] = F32x16::zero(); });
  for (std::size_t first = 0; first < positions; first += 64) {
    F32x16 parts[Vectors];
    unrolled<Vectors>(PLUMBLINE_UNROLLED(v) { parts[v] = F32x16::zero(); });
    const std::size_t end = first + 64 < positions ? first + 64 : positions;
    for (std::size_t p = first; p < end; ++p) {
      const F32x16 weight = F32x16::broadcast(weights[p]);
      unrolled<Vectors>(PLUMBLINE_UNROLLED(v) {
        parts[v] += weight * F32x16::load(values + p * value_row + v * kLanes);
      });
    }
    unrolled<Vectors>(PLUMBLINE_UNROLLED(v) { sums[v] += parts[v]; });
  }
  unrolled<Vectors>(PLUMBLINE_UNROLLED(v) { (sums[v] / F32x16::broadcast(total)).store(out + v * kLanes); });
}

}  // namespace

void attention(const AttentionArguments& arguments, const Slice& slice) {
  const HeadShape& shape = arguments.layer.shape;
  const KvLayout layout = kv_layout(shape, arguments.layer.capacity);
  const float* cache = reinterpret_cast<const float*>(arguments.layer.data);
  const std::size_t heads_per_kv_head = shape.heads / shape.kv_heads;
  const std::size_t rows = arguments.queries.rows;
  // The scratch: one row of scores, then one head of output, which is padded to whole vectors as the values are.
  float* scores = slice.scratch;
  float* head_out = scores + (arguments.first_position + rows + kLanes - 1) / kLanes * kLanes;
  const Range tasks = share(shape.heads * rows, slice);
  for (std::size_t task = tasks.begin; task < tasks.end; ++task) {
    const std::size_t h = task / rows;
    const std::size_t r = task % rows;
    const std::size_t kv_head = h / heads_per_kv_head;
    const std::size_t positions = arguments.first_position + r + 1;
    score(row(arguments.queries, r) + h * shape.key_length, cache + kv_head * layout.key_head, shape.key_length,
          positions, arguments.scale, scores);
    const float total = static_cast<float>(exponentiate(scores, positions));
    const float* values = cache + layout.values + kv_head * layout.value_head;
    std::size_t v = 0;
    for (; v + 4 * kLanes <= layout.value_row; v += 4 * kLanes) {
      weigh<4>(scores, values + v, layout.value_row, positions, total, head_out + v);
    }
    for (; v < layout.value_row; v += kLanes) {
      weigh<1>(scores, values + v, layout.value_row, positions, total, head_out + v);
    }
    std::memcpy(row(arguments.out, r) + h * shape.value_length, head_out, shape.value_length * sizeof(float));
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
