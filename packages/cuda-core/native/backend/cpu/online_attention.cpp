#include "backend/cpu/fast_ops.h"

/// Attention of `fast`: an online softmax over blocks of positions (Milakov & Gimelshein 2018, arXiv:1805.02867; Dao et
/// al. 2022, arXiv:2205.14135) for a few queries at a time that read the same keys and values: the heads of one KV head,
/// and in a prompt the rows behind each other. Blocks begin at multiples of kBlock and a query's sums run over positions
/// in ascending order, so that its bits depend neither on the queries beside it nor on how a prompt is cut.
namespace plumbline::cpu::PLUMBLINE_VARIANT {
namespace {

static_assert(kKeyBlock == kLanes);
constexpr std::size_t kBlock = kAttentionBlock;
constexpr std::size_t kKeyBlocks = kBlock / kKeyBlock;

// How many queries at a time, and how many vectors of keys or values for each: what fits the registers.
#if defined(__AVX512F__)
constexpr unsigned kQueries = 4;
constexpr unsigned vectors_beside(unsigned) { return 4; }
#elif defined(__AVX2__)
constexpr unsigned kQueries = 2;
constexpr unsigned vectors_beside(unsigned queries) { return 4 / queries; }
#else
constexpr unsigned kQueries = 2;
constexpr unsigned vectors_beside(unsigned queries) { return 2 / queries; }
#endif
static_assert(kQueries <= kAttentionQueries);

struct Query {
  const float* values;
  float* out;
  std::size_t positions;  ///< that it sees: 0 .. positions - 1
  float most;             ///< largest score so far
  F32x16 total;           ///< of the weights so far, relative to `most`, in sixteen parts
  float* scores;          ///< [kBlock]: scores of the current block, then weights
  float* sums;            ///< weighted values so far, relative to `most`
};

/// scores[q][from ...] = scale * query . key for Vectors * 16 positions.
template <unsigned Count, unsigned Vectors>
PLUMBLINE_INLINE void score(Query* queries, const float* keys, std::size_t key_length, float scale, std::size_t from) {
  F32x16 sums[Count * Vectors];
  unrolled<Count * Vectors>(PLUMBLINE_UNROLLED(i) { sums[i] = F32x16::zero(); });
  for (std::size_t i = 0; i < key_length; ++i) {
    F32x16 key[Vectors];
    unrolled<Vectors>(PLUMBLINE_UNROLLED(v) { key[v] = F32x16::load(keys + (v * key_length + i) * kKeyBlock); });
    unrolled<Count>(PLUMBLINE_UNROLLED(q) {
      const F32x16 x = F32x16::broadcast(queries[q].values[i]);
      unrolled<Vectors>(PLUMBLINE_UNROLLED(v) {
        sums[q * Vectors + v] = multiply_add(x, key[v], sums[q * Vectors + v]);
      });
    });
  }
  const F32x16 scales = F32x16::broadcast(scale);
  unrolled<Count * Vectors>(PLUMBLINE_UNROLLED(i) {
    (sums[i] * scales).store(queries[i / Vectors].scores + from + i % Vectors * kLanes);
  });
}

/// In steps of half the lanes; any of them where there is a NaN.
PLUMBLINE_INLINE float quick_largest(const F32x16& x) {
  const Quarters p = quarters(x);
  const auto larger = [](const Float4& a, const Float4& b) __attribute__((always_inline)) { return a > b ? a : b; };
  const Float4 four = larger(larger(p.q[0], p.q[1]), larger(p.q[2], p.q[3]));
  const float low = four[0] > four[1] ? four[0] : four[1];
  const float high = four[2] > four[3] ? four[2] : four[3];
  return low > high ? low : high;
}

/// The first `count` scores of a block become weights, the others 0, and what was summed so far is brought to the same scale.
PLUMBLINE_INLINE void exponentiate(Query& query, std::size_t count, std::size_t value_row) {
  float* const scores = query.scores;
  for (std::size_t p = count; p < kBlock; ++p) scores[p] = scores[0];
  F32x16 maxima = F32x16::load(scores);
  unrolled<kKeyBlocks - 1>(PLUMBLINE_UNROLLED(i) { maxima = maximum(maxima, F32x16::load(scores + (i + 1) * kLanes)); });
  const float most = quick_largest(maxima);
  if (most > query.most) {
    const F32x16 fade = exponential(F32x16::broadcast(query.most - most));
    query.most = most;
    query.total = query.total * fade;
    for (std::size_t v = 0; v < value_row; v += kLanes) (F32x16::load(query.sums + v) * fade).store(query.sums + v);
  }
  const F32x16 offset = F32x16::broadcast(query.most);
  unrolled<kKeyBlocks>(PLUMBLINE_UNROLLED(i) {
    exponential(F32x16::load(scores + i * kLanes) - offset).store(scores + i * kLanes);
  });
  for (std::size_t p = count; p < kBlock; ++p) scores[p] = 0.0f;
  unrolled<kKeyBlocks>(PLUMBLINE_UNROLLED(i) { query.total += F32x16::load(scores + i * kLanes); });
}

/// sums[q] += weights[q][p] * values[p] for positions from .. to - 1, over Vectors * 16 values of the head.
template <unsigned Count, unsigned Vectors>
PLUMBLINE_INLINE void weigh(Query* queries, const float* values, std::size_t value_row, std::size_t from, std::size_t to,
                            std::size_t at) {
  F32x16 sums[Count * Vectors];
  unrolled<Count * Vectors>(PLUMBLINE_UNROLLED(i) {
    sums[i] = F32x16::load(queries[i / Vectors].sums + at + i % Vectors * kLanes);
  });
  for (std::size_t p = from; p < to; ++p) {
    F32x16 value[Vectors];
    unrolled<Vectors>(PLUMBLINE_UNROLLED(v) { value[v] = F32x16::load(values + p * value_row + at + v * kLanes); });
    unrolled<Count>(PLUMBLINE_UNROLLED(q) {
      const F32x16 weight = F32x16::broadcast(queries[q].scores[p]);
      unrolled<Vectors>(PLUMBLINE_UNROLLED(v) {
        sums[q * Vectors + v] = multiply_add(weight, value[v], sums[q * Vectors + v]);
      });
    });
  }
  unrolled<Count * Vectors>(PLUMBLINE_UNROLLED(i) {
    sums[i].store(queries[i / Vectors].sums + at + i % Vectors * kLanes);
  });
}

/// The same over a whole head.
template <unsigned Count, unsigned Vectors = vectors_beside(Count)>
PLUMBLINE_INLINE void weigh_head(Query* queries, const float* values, std::size_t value_row, std::size_t from,
                                 std::size_t to, std::size_t at = 0) {
  for (; at + Vectors * kLanes <= value_row; at += Vectors * kLanes) {
    weigh<Count, Vectors>(queries, values, value_row, from, to, at);
  }
  if constexpr (Vectors > 1) {
    if (at < value_row) weigh_head<Count, Vectors - 1>(queries, values, value_row, from, to, at);
  }
}

/// scores[q] of the first `vectors` * 16 positions of a block.
template <unsigned Count, unsigned Vectors = vectors_beside(Count)>
PLUMBLINE_INLINE void score_block(Query* queries, const float* keys, std::size_t key_length, float scale,
                                  std::size_t vectors, std::size_t v = 0) {
  for (; v + Vectors <= vectors; v += Vectors) {
    score<Count, Vectors>(queries, keys + v * kLanes * key_length, key_length, scale, v * kLanes);
  }
  if constexpr (Vectors > 1) {
    if (v < vectors) score_block<Count, Vectors - 1>(queries, keys, key_length, scale, vectors, v);
  }
}

struct Head {
  const float* keys;
  const float* values;
  std::size_t key_length;
  std::size_t value_row;
  std::size_t value_length;
  float scale;
};

/// Queries that lie at most kBlock positions apart, the last one furthest.
template <unsigned Count>
void attend(Query* queries, const Head& head) {
  for (unsigned q = 0; q < Count; ++q) {
    queries[q].most = -__builtin_inff();
    queries[q].total = F32x16::zero();
    for (std::size_t v = 0; v < head.value_row; v += kLanes) F32x16::zero().store(queries[q].sums + v);
  }
  const std::size_t end = queries[Count - 1].positions;
  for (std::size_t first = 0; first < end; first += kBlock) {
    const std::size_t vectors = end - first < kBlock ? (end - first + kLanes - 1) / kLanes : kKeyBlocks;
    score_block<Count>(queries, head.keys + first * head.key_length, head.key_length, head.scale, vectors);
    std::size_t counts[Count];
    for (unsigned q = 0; q < Count; ++q) {
      const std::size_t seen = queries[q].positions;
      counts[q] = seen <= first ? 0 : seen - first < kBlock ? seen - first : kBlock;
      if (counts[q] > 0) exponentiate(queries[q], counts[q], head.value_row);
    }
    // What all of them see together, then what only some see: a weight of 0 would not keep a NaN out.
    const float* values = head.values + first * head.value_row;
    weigh_head<Count>(queries, values, head.value_row, 0, counts[0]);
    for (unsigned q = 1; q < Count; ++q) {
      if (counts[q] > counts[0]) weigh_head<1>(queries + q, values, head.value_row, counts[0], counts[q]);
    }
  }
  for (unsigned q = 0; q < Count; ++q) {
    const F32x16 total = F32x16::broadcast(sum(queries[q].total));
    float* const sums = queries[q].sums;
    for (std::size_t v = 0; v < head.value_row; v += kLanes) (F32x16::load(sums + v) / total).store(sums + v);
    std::memcpy(queries[q].out, sums, head.value_length * sizeof(float));
  }
}

template <unsigned Count = kQueries>
void attend_some(unsigned count, Query* queries, const Head& head) {
  if (count == Count) return attend<Count>(queries, head);
  if constexpr (Count > 1) attend_some<Count - 1>(count, queries, head);
}

}  // namespace

void online_attention(const AttentionArguments& arguments, const Slice& slice) {
  const HeadShape& shape = arguments.layer.shape;
  const KvLayout layout = kv_layout(shape, arguments.layer.capacity);
  const float* cache = reinterpret_cast<const float*>(arguments.layer.data);
  const std::size_t group = shape.heads / shape.kv_heads;
  const std::size_t rows = arguments.queries.rows;

  Query queries[kQueries];
  for (unsigned q = 0; q < kQueries; ++q) {
    queries[q].scores = slice.scratch + q * (kBlock + layout.value_row);
    queries[q].sums = queries[q].scores + kBlock;
  }
  // Queries begin .. end - 1 of a KV head, counted row by row and within a row head by head.
  const auto attend_range = [&](std::size_t kv_head, std::size_t begin, std::size_t end) {
    const Head head = {cache + kv_head * layout.key_head, cache + layout.values + kv_head * layout.value_head,
                       shape.key_length, layout.value_row, shape.value_length, arguments.scale};
    unsigned count = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t r = i / group;
      const std::size_t h = kv_head * group + i % group;
      Query& query = queries[count++];
      query.values = row(arguments.queries, r) + h * shape.key_length;
      query.out = row(arguments.out, r) + h * shape.value_length;
      query.positions = arguments.first_position + r + 1;
      if (count < kQueries && i + 1 < end) continue;
      attend_some(count, queries, head);
      count = 0;
    }
  };

  if (rows == 1) {
    // Contiguous heads, so that as few KV heads as possible are read twice.
    const Range heads = share(shape.heads, slice);
    for (std::size_t h = heads.begin; h < heads.end;) {
      const std::size_t kv_head = h / group;
      const std::size_t end = (kv_head + 1) * group < heads.end ? (kv_head + 1) * group : heads.end;
      attend_range(kv_head, h % group, end - kv_head * group);
      h = end;
    }
    return;
  }
  // Later rows see more: every slice gets some of everywhere.
  const std::size_t in_group = group * rows;
  const std::size_t tiles = (in_group + kQueries - 1) / kQueries;
  for (std::size_t tile = slice.index; tile < tiles * shape.kv_heads; tile += slice.count) {
    const std::size_t begin = tile % tiles * kQueries;
    attend_range(tile / tiles, begin, begin + kQueries < in_group ? begin + kQueries : in_group);
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
