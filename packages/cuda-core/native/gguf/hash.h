#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace plumbline::gguf {

/// XXH64 with seed 0 (xxHash specification 0.1.1, section "XXH64"). Guards against a wrong copy, not against an attacker:
/// for that there is the file's sha256.
std::uint64_t hash64(std::span<const std::byte> bytes) noexcept;

/// The same over bytes that come in pieces: hash64 of the whole equals Hash64 fed with any cutting of it.
class Hash64 {
 public:
  Hash64() noexcept;
  void update(std::span<const std::byte> bytes) noexcept;
  std::uint64_t digest() const noexcept;

 private:
  static constexpr std::size_t kStripe = 32;
  std::uint64_t lanes_[4];
  std::byte pending_[kStripe] = {};
  std::size_t pending_bytes_ = 0;
  std::uint64_t total_bytes_ = 0;
};

}  // namespace plumbline::gguf
