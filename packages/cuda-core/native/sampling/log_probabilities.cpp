#include "sampling/log_probabilities.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace plumbline {

LogProbabilities log_probabilities(std::span<const float> logits, std::uint32_t chosen, std::uint32_t top_count) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  const double log_sum = largest + std::log(sum);

  std::vector<std::uint32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0u);
  const auto end = ids.begin() + std::min<std::ptrdiff_t>(top_count, std::ssize(ids));
  std::partial_sort(ids.begin(), end, ids.end(), [&](std::uint32_t a, std::uint32_t b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
  });

  LogProbabilities result{logits[chosen] - log_sum, {}};
  for (auto id = ids.begin(); id != end; ++id) result.top.push_back({*id, logits[*id] - log_sum});
  return result;
}

}  // namespace plumbline
