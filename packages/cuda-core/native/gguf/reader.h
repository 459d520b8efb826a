#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "gguf/refusal.h"

namespace plumbline::gguf {

/// Reads little-endian values one after the other out of bytes that nobody vouches for. Every read is checked against
/// what remains, by comparisons that cannot overflow.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  std::uint64_t offset() const noexcept { return at_; }
  std::uint64_t remaining() const noexcept { return bytes_.size() - at_; }

  template <typename T>
    requires std::integral<T> || std::floating_point<T>
  T number(const Field& field) {
    T value;
    std::memcpy(&value, take(sizeof(T), field).data(), sizeof(T));
    return value;
  }

  /// A count of things that have at least `least_bytes` each, and of which there may be `most`.
  std::uint64_t count(const Field& field, std::uint64_t least_bytes, std::uint64_t most);

  /// An 8-byte length and that many bytes of UTF-8.
  std::string_view text(const Field& field);

  std::span<const std::byte> take(std::uint64_t count, const Field& field);

 private:
  std::span<const std::byte> bytes_;
  std::uint64_t at_ = 0;
};

}  // namespace plumbline::gguf
