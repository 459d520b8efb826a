#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "model/hyperparameters.h"

namespace plumbline {

/// The activations of one forward pass over up to so many tokens. Grows when a longer piece comes, never shrinks, so
/// that decoding allocates nothing.
class Workspace {
 public:
  Workspace(Backend& backend, const Hyperparameters& hyperparameters)
      : backend_(backend), hyperparameters_(hyperparameters) {}

  /// Makes every matrix below `rows` high, and `logits` `logits_rows` high.
  void resize(std::uint32_t rows, std::uint32_t logits_rows);

  std::size_t bytes() const;
  /// What it holds once it has been resized to that.
  static std::size_t bytes_of(const Hyperparameters& hyperparameters, std::uint32_t rows, std::uint32_t logits_rows);

  Matrix residual;  ///< [rows, embedding_length]
  Matrix normed;    ///< [rows, embedding_length]
  Matrix queries;   ///< [rows, heads * key_length]
  Matrix keys;      ///< [rows, kv_heads * key_length]
  Matrix values;    ///< [rows, kv_heads * value_length]
  Matrix attended;  ///< [rows, heads * value_length]
  Matrix projected; ///< [rows, embedding_length]: attention's and the feed-forward's output
  Matrix gate;      ///< [rows, feed_forward_length]
  Matrix up;        ///< [rows, feed_forward_length]
  Matrix angles;    ///< [rows, rope_dimension_count]: cosines, then sines
  Matrix logits;    ///< [logits_rows, vocab_size]

 private:
  Matrix matrix(std::uint32_t rows, std::uint32_t width);

  Backend& backend_;
  const Hyperparameters& hyperparameters_;
  std::uint32_t rows_ = 0;
  std::uint32_t logits_rows_ = 0;
  std::vector<Memory> memory_;
};

}  // namespace plumbline
