#include "model/workspace.h"

#include <algorithm>

namespace plumbline {

void Workspace::resize(std::uint32_t rows, std::uint32_t logits_rows) {
  if (rows > rows_ || logits_rows > logits_rows_) {
    rows_ = std::max(rows, rows_);
    logits_rows_ = std::max(logits_rows, logits_rows_);
    memory_.clear();
    const Hyperparameters& h = hyperparameters_;
    residual = matrix(rows_, h.embedding_length);
    normed = matrix(rows_, h.embedding_length);
    queries = matrix(rows_, h.heads.heads * h.heads.key_length);
    keys = matrix(rows_, h.heads.kv_heads * h.heads.key_length);
    values = matrix(rows_, h.heads.kv_heads * h.heads.value_length);
    attended = matrix(rows_, h.heads.heads * h.heads.value_length);
    projected = matrix(rows_, h.embedding_length);
    gate = matrix(rows_, h.feed_forward_length);
    up = matrix(rows_, h.feed_forward_length);
    angles = matrix(rows_, h.rope_dimension_count);
    logits = matrix(logits_rows_, h.vocab_size);
  }
  for (Matrix* matrix : {&residual, &normed, &queries, &keys, &values, &attended, &projected, &gate, &up, &angles}) {
    matrix->rows = rows;
  }
  logits.rows = logits_rows;
}

std::size_t Workspace::bytes() const {
  std::size_t total = 0;
  for (const Memory& memory : memory_) total += memory.bytes();
  return total;
}

Matrix Workspace::matrix(std::uint32_t rows, std::uint32_t width) {
  const std::uint32_t stride = padded_width(width);
  memory_.push_back(backend_.allocate(std::size_t{rows} * stride * sizeof(float)));
  return {static_cast<float*>(memory_.back().address()), rows, width, stride};
}

}  // namespace plumbline
