#include "model/workspace.h"

#include <algorithm>
#include <array>

namespace plumbline {
namespace {

struct Part {
  Matrix Workspace::*matrix;
  std::uint32_t width;
};

/// All that has a row for each token.
std::array<Part, 10> parts_of(const Hyperparameters& h) {
  return {{{&Workspace::residual, h.embedding_length},
           {&Workspace::normed, h.embedding_length},
           {&Workspace::queries, h.heads.heads * h.heads.key_length},
           {&Workspace::keys, h.heads.kv_heads * h.heads.key_length},
           {&Workspace::values, h.heads.kv_heads * h.heads.value_length},
           {&Workspace::attended, h.heads.heads * h.heads.value_length},
           {&Workspace::projected, h.embedding_length},
           {&Workspace::gate, h.feed_forward_length},
           {&Workspace::up, h.feed_forward_length},
           {&Workspace::angles, h.rope_dimension_count}}};
}

std::size_t matrix_bytes(std::uint32_t rows, std::uint32_t width) {
  return std::size_t{rows} * padded_width(width) * sizeof(float);
}

}  // namespace

void Workspace::resize(std::uint32_t rows, std::uint32_t logits_rows) {
  const auto parts = parts_of(hyperparameters_);
  if (rows > rows_ || logits_rows > logits_rows_) {
    rows_ = std::max(rows, rows_);
    logits_rows_ = std::max(logits_rows, logits_rows_);
    memory_.clear();
    for (const Part& part : parts) this->*part.matrix = matrix(rows_, part.width);
    logits = matrix(logits_rows_, hyperparameters_.vocab_size);
  }
  for (const Part& part : parts) (this->*part.matrix).rows = rows;
  logits.rows = logits_rows;
}

std::size_t Workspace::bytes_of(const Hyperparameters& hyperparameters, std::uint32_t rows, std::uint32_t logits_rows) {
  std::size_t total = matrix_bytes(logits_rows, hyperparameters.vocab_size);
  for (const Part& part : parts_of(hyperparameters)) total += matrix_bytes(rows, part.width);
  return total;
}

std::size_t Workspace::bytes() const {
  std::size_t total = 0;
  for (const Memory& memory : memory_) total += memory.bytes();
  return total;
}

Matrix Workspace::matrix(std::uint32_t rows, std::uint32_t width) {
  memory_.push_back(backend_.allocate(matrix_bytes(rows, width)));
  return {static_cast<float*>(memory_.back().address()), rows, width, padded_width(width)};
}

}  // namespace plumbline
