#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace plumbline {

/// SHA-256 of bytes that come in pieces (FIPS 180-4).
class Sha256 {
 public:
  /// By the processor's own instructions where it has them and `use_extensions`; the digest is the same.
  explicit Sha256(bool use_extensions = true) noexcept;

  void update(std::span<const std::byte> bytes) noexcept;
  /// Lower-case hexadecimal. Leaves the hash as it was: more may follow.
  std::string hex_digest() const;

 private:
  void compress(const std::byte* blocks, std::size_t count) noexcept;

  bool extensions_;
  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> pending_{};
  std::uint64_t total_bytes_ = 0;
};

}  // namespace plumbline
