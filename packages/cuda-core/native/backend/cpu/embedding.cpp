#include "backend/cpu/ops.h"

namespace plumbline::cpu::PLUMBLINE_VARIANT {

void embedding(const EmbeddingArguments& arguments, const Slice& slice) {
  const Weight& table = *arguments.table;
  const Range rows = share(arguments.out.rows, slice);
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    dequantize_row(table.type, table.data + arguments.tokens[r] * table.row_bytes, table.width,
                   row(arguments.out, r));
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
