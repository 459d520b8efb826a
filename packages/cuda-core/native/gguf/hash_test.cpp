#include "gguf/hash.h"

#include <random>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace plumbline::gguf {
namespace {

std::uint64_t hash_of(std::string_view text) { return hash64(std::as_bytes(std::span(text))); }

TEST(Hash64, EqualsThePublishedVectors) {
  // xxHash, tests of the reference implementation and of its bindings, seed 0.
  EXPECT_EQ(hash_of(""), 0xEF46DB3751D8E999u);
  EXPECT_EQ(hash_of("a"), 0xD24EC4F1A98C6E5Bu);
  EXPECT_EQ(hash_of("abc"), 0x44BC2CF5AD770999u);
  EXPECT_EQ(hash_of("Nobody inspects the spammish repetition"), 0xFBCEA83C8A378BF1u);
}

TEST(Hash64, IsTheSameForAnyCutting) {
  std::mt19937_64 random(7);
  std::vector<std::byte> bytes(1000);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  for (std::size_t length = 0; length < 200; ++length) {
    const auto whole = std::span(bytes).first(length);
    Hash64 pieces;
    for (std::size_t at = 0; at < length;) {
      const std::size_t step = std::min<std::size_t>(1 + random() % 40, length - at);
      pieces.update(whole.subspan(at, step));
      at += step;
    }
    EXPECT_EQ(pieces.digest(), hash64(whole));
  }
}

TEST(Hash64, ChangesWithEveryByte) {
  std::vector<std::byte> bytes(77);
  const std::uint64_t before = hash64(bytes);
  for (std::byte& byte : bytes) {
    byte ^= std::byte{1};
    EXPECT_NE(hash64(bytes), before);
    byte ^= std::byte{1};
  }
}

}  // namespace
}  // namespace plumbline::gguf
