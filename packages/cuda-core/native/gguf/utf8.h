#pragma once

#include <cstddef>
#include <span>

namespace plumbline::gguf {

/// The index of the first byte that is not well-formed UTF-8 (Unicode 15, table 3-7: no overlong forms, no surrogates,
/// nothing above U+10FFFF), or bytes.size() if all are.
std::size_t first_invalid_utf8(std::span<const std::byte> bytes) noexcept;

}  // namespace plumbline::gguf
