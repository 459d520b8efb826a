#include "gguf/utf8.h"

#include <cstdint>
#include <cstring>

namespace plumbline::gguf {
namespace {

/// How many bytes the well-formed sequence at bytes[at] has; 0 when it is ill-formed. Unicode 15, table 3-7.
std::size_t sequence_length(std::span<const std::byte> bytes, std::size_t at) noexcept {
  const auto byte = [&](std::size_t index) {
    return at + index < bytes.size() ? std::to_integer<std::uint32_t>(bytes[at + index]) : 0u;
  };
  const auto within = [](std::uint32_t value, std::uint32_t low, std::uint32_t high) {
    return value >= low && value <= high;
  };
  const auto continues = [&](std::size_t index) { return within(byte(index), 0x80, 0xBF); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (within(lead, 0xC2, 0xDF)) return continues(1) ? 2 : 0;
  if (within(lead, 0xE0, 0xEF)) {
    const bool second = within(byte(1), lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF);
    return second && continues(2) ? 3 : 0;
  }
  if (within(lead, 0xF0, 0xF4)) {
    const bool second = within(byte(1), lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
    return second && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::size_t first_invalid_utf8(std::span<const std::byte> bytes) noexcept {
  std::size_t at = 0;
  while (at < bytes.size()) {
    // Most of it is ASCII: eight at a time.
    if (bytes.size() - at >= 8) {
      std::uint64_t word;
      std::memcpy(&word, bytes.data() + at, sizeof word);
      if ((word & 0x8080808080808080u) == 0) {
        at += 8;
        continue;
      }
    }
    const std::size_t length = sequence_length(bytes, at);
    if (length == 0) return at;
    at += length;
  }
  return at;
}

}  // namespace plumbline::gguf
