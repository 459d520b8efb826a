#include "backend/cpu/packed_values.h"

/// out = in * weight^T + bias over packed weights: tiles of kTileGroups * 16 rows by kTileTokens tokens, whose sums stay in
/// registers over the whole width. A sum is taken in the same order in every tile (quantised: block after block; floats: even
/// values and odd ones apart), so that its bits depend neither on how many tokens come at a time nor on who computes it.
namespace plumbline::cpu::PLUMBLINE_VARIANT {
namespace {

/// What fits the registers: three sums a row and token, one of integers and two of floats, and the operands.
#if defined(__AVX512F__)
constexpr unsigned kTileGroups = 2, kTileTokens = 4;
#elif defined(__AVX2__)
constexpr unsigned kTileGroups = 1, kTileTokens = 4;
#else
constexpr unsigned kTileGroups = 1, kTileTokens = 1;
#endif

/// What a tile is computed from: packed groups of rows, and as many of a block (or pair) as fill the width.
template <class Packed, unsigned Groups>
struct Rows {
  const Packed* groups[Groups];
  std::size_t count;
};

template <class Packed, unsigned Groups, unsigned Tokens>
PLUMBLINE_INLINE void multiply_quantised(const Rows<Packed, Groups>& rows, const ActivationBlock* const* in,
                                         F32x16 (&out)[Groups * Tokens]) {
  constexpr std::size_t kSteps = kBlockValues / kBlockParts / 4;
  const ActivationBlock* x[Tokens];
  F32x16 sums[Groups * Tokens];
  unrolled<Tokens>(PLUMBLINE_UNROLLED(t) { x[t] = in[t]; });
  unrolled<Groups * Tokens>(PLUMBLINE_UNROLLED(i) { sums[i] = F32x16::zero(); });
  for (std::size_t b = 0, at = 0; b < rows.count; ++b) {
    for (std::size_t s = 0; s < Packed::kBlocks; ++s, ++at) {
      F32x16 products[Groups * Tokens];
      unrolled<kBlockParts>(PLUMBLINE_UNROLLED(part) {
        CodeSums<Packed::kOffset, Packed::kMaxCode> dots[Groups * Tokens];
        unrolled<Groups * Tokens>(PLUMBLINE_UNROLLED(i) { dots[i].begin(x[i % Tokens][at].minus_sums[part]); });
        unrolled<kSteps>(PLUMBLINE_UNROLLED(step) {
          const std::size_t g = part * kSteps + step;
          Codes w[Groups];
          unrolled<Groups>(PLUMBLINE_UNROLLED(q) { w[q] = codes(rows.groups[q][b], s, g); });
          unrolled<Tokens>(PLUMBLINE_UNROLLED(t) {
            const FourQuants quants(x[t][at].quants + g * 4);
            unrolled<Groups>(PLUMBLINE_UNROLLED(q) { dots[q * Tokens + t].add(step, w[q], quants); });
          });
        });
        unrolled<Groups>(PLUMBLINE_UNROLLED(q) {
          F32x16 half_scale;
          if constexpr (Packed::kScales == 2) half_scale = scale(rows.groups[q][b], s, part);
          unrolled<Tokens>(PLUMBLINE_UNROLLED(t) {
            F32x16 dot = dots[q * Tokens + t].total();
            if constexpr (Packed::kScales == 2) dot = dot * half_scale;
            const F32x16 token_scale = F32x16::broadcast(x[t][at].scales[part]);
            F32x16& product = products[q * Tokens + t];
            product = part == 0 ? dot * token_scale : multiply_add(dot, token_scale, product);
          });
        });
      });
      unrolled<Groups>(PLUMBLINE_UNROLLED(q) {
        F32x16 row_scale;
        if constexpr (Packed::kScales == 1) row_scale = scale(rows.groups[q][b], s, 0);
        unrolled<Tokens>(PLUMBLINE_UNROLLED(t) {
          const F32x16& product = products[q * Tokens + t];
          F32x16& sum = sums[q * Tokens + t];
          sum = Packed::kScales == 1 ? multiply_add(product, row_scale, sum) : sum + product;
        });
      });
      if constexpr (Packed::kHasMinimum) {
        unrolled<Groups>(PLUMBLINE_UNROLLED(q) {
          const F32x16 row_minimum = minimum(rows.groups[q][b], s);
          unrolled<Tokens>(PLUMBLINE_UNROLLED(t) {
            F32x16& sum = sums[q * Tokens + t];
            sum = multiply_add(row_minimum, F32x16::broadcast(x[t][at].scaled_sum), sum);
          });
        });
      }
    }
  }
  unrolled<Groups * Tokens>(PLUMBLINE_UNROLLED(i) { out[i] = sums[i]; });
}

template <class Packed, unsigned Groups, unsigned Tokens>
PLUMBLINE_INLINE void multiply_floats(const Rows<Packed, Groups>& rows, const float* const* in,
                                      F32x16 (&out)[Groups * Tokens]) {
  const float* x[Tokens];
  Pair sums[Groups * Tokens];
  unrolled<Tokens>(PLUMBLINE_UNROLLED(t) { x[t] = in[t]; });
  unrolled<Groups * Tokens>(PLUMBLINE_UNROLLED(i) { sums[i] = {F32x16::zero(), F32x16::zero()}; });
  for (std::size_t k = 0; k < rows.count; ++k) {
    Pair w[Groups];
    unrolled<Groups>(PLUMBLINE_UNROLLED(q) { w[q] = pair(rows.groups[q][k]); });
    unrolled<Tokens>(PLUMBLINE_UNROLLED(t) {
      const F32x16 even = F32x16::broadcast(x[t][2 * k]);
      const F32x16 odd = F32x16::broadcast(x[t][2 * k + 1]);
      unrolled<Groups>(PLUMBLINE_UNROLLED(q) {
        Pair& sum = sums[q * Tokens + t];
        sum.even = multiply_add(w[q].even, even, sum.even);
        sum.odd = multiply_add(w[q].odd, odd, sum.odd);
      });
    });
  }
  unrolled<Groups * Tokens>(PLUMBLINE_UNROLLED(i) { out[i] = sums[i].even + sums[i].odd; });
}

/// What there is of a token to multiply with.
template <class Packed>
struct Input {
  using Token = const ActivationBlock*;
  static PLUMBLINE_INLINE Token token(const PackedLinearArguments& arguments, std::size_t r) {
    return arguments.quantised + r * (arguments.in.width / kBlockValues);
  }
  static PLUMBLINE_INLINE std::size_t count(std::uint32_t width) { return width / (kBlockValues * Packed::kBlocks); }
};
template <class Packed>
  requires requires(const Packed& packed) { pair(packed); }
struct Input<Packed> {
  using Token = const float*;
  static PLUMBLINE_INLINE Token token(const PackedLinearArguments& arguments, std::size_t r) {
    return row(arguments.in, r);
  }
  static PLUMBLINE_INLINE std::size_t count(std::uint32_t width) { return (std::size_t{width} + 1) / 2; }
};

/// Writes the sixteen values of a token from `first_row` on, or as many as there are rows.
PLUMBLINE_INLINE void put(const F32x16& values, const Projection& projection, std::uint32_t first_row, float* out) {
  const std::uint32_t rows = projection.weight->rows;
  const float* bias = projection.bias ? reinterpret_cast<const float*>(projection.bias->data) + first_row : nullptr;
  if (rows - first_row >= kLanes) {
    (bias ? values + F32x16::load(bias) : values).store(out + first_row);
    return;
  }
  float lanes[kLanes];
  values.store(lanes);
  for (std::uint32_t i = 0; i < rows - first_row; ++i) out[first_row + i] = bias ? lanes[i] + bias[i] : lanes[i];
}

/// `groups` (1 to Groups) groups of rows times `tokens` (1 to Tokens) tokens. What is missing repeats what is there, and
/// nobody looks at the result.
template <class Packed, unsigned Groups, unsigned Tokens>
void tile(const PackedLinearArguments& arguments, const Projection& projection, std::uint32_t first_group,
          std::uint32_t groups, std::uint32_t first_token, std::uint32_t tokens) {
  using In = Input<Packed>;
  const std::size_t count = In::count(arguments.in.width);
  Rows<Packed, Groups> rows;
  rows.count = count;
  const auto* packed = reinterpret_cast<const Packed*>(projection.weight->packed);
  for (unsigned q = 0; q < Groups; ++q) rows.groups[q] = packed + (first_group + (q < groups ? q : 0)) * count;
  typename In::Token in[Tokens];
  for (unsigned t = 0; t < Tokens; ++t) in[t] = In::token(arguments, first_token + (t < tokens ? t : 0));
  F32x16 out[Groups * Tokens];
  if constexpr (requires { pair(*packed); }) {
    multiply_floats<Packed, Groups, Tokens>(rows, in, out);
  } else {
    multiply_quantised<Packed, Groups, Tokens>(rows, in, out);
  }
  for (unsigned q = 0; q < groups; ++q) {
    for (unsigned t = 0; t < tokens; ++t) {
      put(out[q * Tokens + t], projection, (first_group + q) * kGroupRows, row(projection.out, first_token + t));
    }
  }
}

/// All tokens for groups begin .. end - 1 of a projection's rows.
template <class Packed>
void multiply(const PackedLinearArguments& arguments, const Projection& projection, std::uint32_t begin,
              std::uint32_t end) {
  const std::uint32_t tokens = arguments.in.rows;
  if (tokens == 1) {
    for (std::uint32_t g = begin; g < end; ++g) tile<Packed, 1, 1>(arguments, projection, g, 1, 0, 1);
    return;
  }
  // Tokens whose activations stay in the second cache while the rows go by.
  constexpr std::size_t kCachedBytes = 384 * 1024;
  const std::size_t token_bytes = (arguments.in.width + kBlockValues - 1) / kBlockValues * sizeof(ActivationBlock);
  const std::size_t cached = kCachedBytes / token_bytes / kTileTokens * kTileTokens;
  const auto step = static_cast<std::uint32_t>(cached < 8 * kTileTokens ? 8 * kTileTokens : cached);
  for (std::uint32_t first = 0; first < tokens; first += step) {
    const std::uint32_t last = tokens - first < step ? tokens : first + step;
    for (std::uint32_t g = begin; g < end; g += kTileGroups) {
      const std::uint32_t groups = end - g < kTileGroups ? end - g : kTileGroups;
      for (std::uint32_t t = first; t < last; t += kTileTokens) {
        const std::uint32_t count = last - t < kTileTokens ? last - t : kTileTokens;
        tile<Packed, kTileGroups, kTileTokens>(arguments, projection, g, groups, t, count);
      }
    }
  }
}

void multiply(const PackedLinearArguments& arguments, const Projection& projection, std::uint32_t begin,
              std::uint32_t end) {
  switch (projection.weight->type) {
    case gguf::Type::F32: return multiply<PackedF32>(arguments, projection, begin, end);
    case gguf::Type::F16: return multiply<PackedF16>(arguments, projection, begin, end);
    case gguf::Type::BF16: return multiply<PackedBF16>(arguments, projection, begin, end);
    case gguf::Type::Q8_0: return multiply<PackedQ8_0>(arguments, projection, begin, end);
    case gguf::Type::Q4_0: return multiply<PackedQ4_0>(arguments, projection, begin, end);
    case gguf::Type::Q4_1: return multiply<PackedQ4_1>(arguments, projection, begin, end);
    case gguf::Type::Q5_0: return multiply<PackedQ5_0>(arguments, projection, begin, end);
    case gguf::Type::Q5_1: return multiply<PackedQ5_1>(arguments, projection, begin, end);
    case gguf::Type::Q4_K: return multiply<PackedQ4_K>(arguments, projection, begin, end);
    case gguf::Type::Q5_K: return multiply<PackedQ5_K>(arguments, projection, begin, end);
    case gguf::Type::Q6_K: return multiply<PackedQ6_K>(arguments, projection, begin, end);
    default: return;
  }
}

}  // namespace

void packed_linear(const PackedLinearArguments& arguments, const Slice& slice) {
  // Whole tiles of rows where there are many tokens.
  const std::uint32_t unit = arguments.in.rows == 1 ? 1 : kTileGroups;
  const auto units_of = [unit](const Projection& projection) {
    return (projection.weight->rows + kGroupRows * unit - 1) / (kGroupRows * unit);
  };
  std::size_t total = 0;
  for (std::size_t p = 0; p < arguments.projection_count; ++p) total += units_of(arguments.projections[p]);
  const Range all = share(total, slice);
  std::size_t first = 0;
  for (std::size_t p = 0; p < arguments.projection_count; ++p) {
    const Projection& projection = arguments.projections[p];
    const std::size_t count = units_of(projection);
    const std::size_t begin = all.begin > first ? all.begin - first : 0;
    const std::size_t end = all.end > first ? (all.end - first < count ? all.end - first : count) : 0;
    if (begin < end) {
      const std::uint32_t groups = (projection.weight->rows + kGroupRows - 1) / kGroupRows;
      const auto last = static_cast<std::uint32_t>(end * unit);
      multiply(arguments, projection, static_cast<std::uint32_t>(begin * unit), last < groups ? last : groups);
    }
    first += count;
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
