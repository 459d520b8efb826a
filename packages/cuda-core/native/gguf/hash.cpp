#include "gguf/hash.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace plumbline::gguf {
namespace {

// xxHash specification 0.1.1, "XXH64 algorithm description". Files of ours are little-endian, and so are the machines.
static_assert(std::endian::native == std::endian::little);

constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87u;
constexpr std::uint64_t kPrime2 = 0xC2B2AE3D27D4EB4Fu;
constexpr std::uint64_t kPrime3 = 0x165667B19E3779F9u;
constexpr std::uint64_t kPrime4 = 0x85EBCA77C2B2AE63u;
constexpr std::uint64_t kPrime5 = 0x27D4EB2F165667C5u;

template <typename T>
T read(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::uint64_t round(std::uint64_t lane, std::uint64_t word) noexcept {
  return std::rotl(lane + word * kPrime2, 31) * kPrime1;
}

std::uint64_t merge(std::uint64_t accumulator, std::uint64_t lane) noexcept {
  return (accumulator ^ round(0, lane)) * kPrime1 + kPrime4;
}

void consume_stripe(std::uint64_t (&lanes)[4], const std::byte* stripe) noexcept {
  for (std::size_t lane = 0; lane < 4; ++lane) lanes[lane] = round(lanes[lane], read<std::uint64_t>(stripe + 8 * lane));
}

}  // namespace

Hash64::Hash64() noexcept : lanes_{kPrime1 + kPrime2, kPrime2, 0, 0 - kPrime1} {}

void Hash64::update(std::span<const std::byte> bytes) noexcept {
  if (bytes.empty()) return;
  total_bytes_ += bytes.size();
  if (pending_bytes_ > 0) {
    const std::size_t taken = std::min(kStripe - pending_bytes_, bytes.size());
    std::memcpy(pending_ + pending_bytes_, bytes.data(), taken);
    pending_bytes_ += taken;
    bytes = bytes.subspan(taken);
    if (pending_bytes_ < kStripe) return;
    consume_stripe(lanes_, pending_);
    pending_bytes_ = 0;
  }
  for (; bytes.size() >= kStripe; bytes = bytes.subspan(kStripe)) consume_stripe(lanes_, bytes.data());
  if (!bytes.empty()) std::memcpy(pending_, bytes.data(), bytes.size());
  pending_bytes_ = bytes.size();
}

std::uint64_t Hash64::digest() const noexcept {
  std::uint64_t hash = kPrime5;
  if (total_bytes_ >= kStripe) {
    hash = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) + std::rotl(lanes_[3], 18);
    for (const std::uint64_t lane : lanes_) hash = merge(hash, lane);
  }
  hash += total_bytes_;
  const std::byte* at = pending_;
  const std::byte* const end = pending_ + pending_bytes_;
  for (; end - at >= 8; at += 8) hash = std::rotl(hash ^ round(0, read<std::uint64_t>(at)), 27) * kPrime1 + kPrime4;
  for (; end - at >= 4; at += 4) hash = std::rotl(hash ^ (read<std::uint32_t>(at) * kPrime1), 23) * kPrime2 + kPrime3;
  for (; at < end; ++at) hash = std::rotl(hash ^ (std::to_integer<std::uint64_t>(*at) * kPrime5), 11) * kPrime1;
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

std::uint64_t hash64(std::span<const std::byte> bytes) noexcept {
  Hash64 hash;
  hash.update(bytes);
  return hash.digest();
}

}  // namespace plumbline::gguf
