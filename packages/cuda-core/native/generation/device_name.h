#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>

namespace plumbline {

/// N of "cuda:N", at most three digits; nothing for any other name.
inline std::optional<std::size_t> cuda_index(std::string_view name) {
  constexpr std::string_view kPrefix = "cuda:";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const std::string_view digits = name.substr(kPrefix.size());
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.size() > 3) return std::nullopt;
  return index;
}

}  // namespace plumbline
