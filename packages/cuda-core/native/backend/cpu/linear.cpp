#include "backend/cpu/dequantize.h"
#include "backend/cpu/dispatch.h"
#include "backend/cpu/ops.h"

/// Whatever the path, the dot product of a weight row and an input row is: sixteen lanes, lane j adding the products of
/// elements j, j + 16, j + 32 … in that order, then `sum`, then the bias. So the bits depend neither on how many input
/// rows come at a time nor on the tile that they are computed in.
namespace plumbline::cpu::PLUMBLINE_VARIANT {
namespace {

/// What fits the registers: kTileRows * kTileColumns sums, and the operands.
#if defined(__AVX512F__)
constexpr unsigned kTileRows = 4, kTileColumns = 4;
#elif defined(__AVX2__)
constexpr unsigned kTileRows = 2, kTileColumns = 2;
#else
constexpr unsigned kTileRows = 1, kTileColumns = 2;
#endif
static_assert(kLinearRows % kTileRows == 0);

/// kTileRows weight rows (float32, `stride` apart) times Columns input rows.
template <unsigned Columns>
PLUMBLINE_INLINE void tile(const float* weights, std::size_t stride, std::size_t vectors, const float* const* in,
                           float (&out)[kTileRows][kTileColumns]) {
  F32x16 sums[kTileRows * Columns];
  unrolled<kTileRows * Columns>(PLUMBLINE_UNROLLED(i) { sums[i] = F32x16::zero(); });
  for (std::size_t k = 0; k < vectors; ++k) {
    F32x16 x[Columns];
    unrolled<Columns>(PLUMBLINE_UNROLLED(c) { x[c] = F32x16::load(in[c] + k * kLanes); });
    unrolled<kTileRows>(PLUMBLINE_UNROLLED(r) {
      const F32x16 w = F32x16::load(weights + r * stride + k * kLanes);
      unrolled<Columns>(PLUMBLINE_UNROLLED(c) { sums[r * Columns + c] += w * x[c]; });
    });
  }
  unrolled<kTileRows * Columns>(PLUMBLINE_UNROLLED(i) { out[i / Columns][i % Columns] = sum(sums[i]); });
}

/// Writes out[first_row + r] for up to kLinearRows dequantised rows, for all input rows.
void multiply_rows(const Matrix& in, const float* weights, std::uint32_t first_row, std::uint32_t rows,
                   const float* bias, const Matrix& out) {
  const std::size_t vectors = in.stride / kLanes;
  for (std::uint32_t r = 0; r < rows; r += kTileRows) {
    for (std::uint32_t c = 0; c < in.rows; c += kTileColumns) {
      const unsigned columns = in.rows - c < kTileColumns ? in.rows - c : kTileColumns;
      const float* inputs[kTileColumns];
      for (unsigned i = 0; i < kTileColumns; ++i) inputs[i] = row(in, c + (i < columns ? i : 0));
      float dots[kTileRows][kTileColumns];
      const float* w = weights + std::size_t{r} * in.stride;
      if (columns == 1) {
        tile<1>(w, in.stride, vectors, inputs, dots);
      } else {
        tile<kTileColumns>(w, in.stride, vectors, inputs, dots);
      }
      for (unsigned i = 0; i < kTileRows && r + i < rows; ++i) {
        const std::uint32_t o = first_row + r + i;
        for (unsigned j = 0; j < columns; ++j) row(out, c + j)[o] = bias ? dots[i][j] + bias[o] : dots[i][j];
      }
    }
  }
}

/// One input row against weights that are dequantised into registers and nowhere else.
template <class Block, unsigned Rows>
PLUMBLINE_INLINE void decode_and_multiply(const std::byte* weights, std::size_t row_bytes, std::size_t blocks,
                                          const float* in, float* out) {
  F32x16 sums[Rows];
  unrolled<Rows>(PLUMBLINE_UNROLLED(r) { sums[r] = F32x16::zero(); });
  const Block* rows[Rows];
  unrolled<Rows>(PLUMBLINE_UNROLLED(r) { rows[r] = reinterpret_cast<const Block*>(weights + r * row_bytes); });
  for (std::size_t b = 0; b < blocks; ++b) {
    const float* x = in + b * Block::kValues;
    unrolled<Rows>(PLUMBLINE_UNROLLED(r) {
      decode(rows[r][b], [&](std::size_t i, const F32x16& w) __attribute__((always_inline)) {
        sums[r] += w * F32x16::load(x + i * kLanes);
      });
    });
  }
  unrolled<Rows>(PLUMBLINE_UNROLLED(r) { out[r] = sum(sums[r]); });
}

void multiply_one(const Matrix& in, const Projection& projection, std::uint32_t first_row, std::uint32_t rows) {
  const Weight& weight = *projection.weight;
  const std::byte* weights = weight.data + first_row * weight.row_bytes;
  float dots[kLinearRows];
  with_block(weight.type, [&]<class Block>(Block) {
    const std::size_t blocks = weight.width / Block::kValues;
    if (rows == kLinearRows) {
      decode_and_multiply<Block, kLinearRows>(weights, weight.row_bytes, blocks, in.data, dots);
    } else {
      for (std::uint32_t r = 0; r < rows; ++r) {
        decode_and_multiply<Block, 1>(weights + r * weight.row_bytes, weight.row_bytes, blocks, in.data, dots + r);
      }
    }
  });
  const float* bias = projection.bias ? reinterpret_cast<const float*>(projection.bias->data) : nullptr;
  for (std::uint32_t r = 0; r < rows; ++r) {
    const std::uint32_t o = first_row + r;
    projection.out.data[o] = bias ? dots[r] + bias[o] : dots[r];
  }
}

void multiply_many(const Matrix& in, const Projection& projection, std::uint32_t first_row, std::uint32_t rows,
                   float* scratch) {
  const Weight& weight = *projection.weight;
  const float* bias = projection.bias ? reinterpret_cast<const float*>(projection.bias->data) : nullptr;
  const std::byte* weights = weight.data + first_row * weight.row_bytes;
  for (std::uint32_t r = 0; r < kLinearRows; ++r) {
    // A last tile that is not full repeats its last row, and nobody looks at that.
    const std::uint32_t source = r < rows ? r : rows - 1;
    dequantize_row(weight.type, weights + source * weight.row_bytes, weight.width,
                   scratch + std::size_t{r} * in.stride);
  }
  multiply_rows(in, scratch, first_row, rows, bias, projection.out);
}

}  // namespace

void linear(const LinearArguments& arguments, const Slice& slice) {
  const Matrix& in = arguments.in;
  std::size_t total = 0;
  for (std::size_t p = 0; p < arguments.projection_count; ++p) {
    total += (arguments.projections[p].weight->rows + kLinearRows - 1) / kLinearRows;
  }
  const Range groups = share(total, slice);
  std::size_t first_group = 0;
  for (std::size_t p = 0; p < arguments.projection_count; ++p) {
    const Projection& projection = arguments.projections[p];
    const std::uint32_t outputs = projection.weight->rows;
    const std::size_t count = (outputs + kLinearRows - 1) / kLinearRows;
    const std::size_t begin = groups.begin > first_group ? groups.begin - first_group : 0;
    const std::size_t end = groups.end > first_group ? groups.end - first_group : 0;
    for (std::size_t g = begin; g < end && g < count; ++g) {
      const std::uint32_t first_row = static_cast<std::uint32_t>(g) * kLinearRows;
      const std::uint32_t rows = outputs - first_row < kLinearRows ? outputs - first_row : kLinearRows;
      // A float row that ends inside a vector must be filled up, which happens in the scratch.
      if (in.rows == 1 && in.width % kLanes == 0) {
        multiply_one(in, projection, first_row, rows);
      } else {
        multiply_many(in, projection, first_row, rows, slice.scratch);
      }
    }
    first_group += count;
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
