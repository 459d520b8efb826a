#include "trace/sha256.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace plumbline {
namespace {

std::string digest(const std::string& text, std::size_t piece) {
  Sha256 hash;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    hash.update(std::as_bytes(std::span(text).subspan(at, std::min(piece, text.size() - at))));
  }
  return hash.hex_digest();
}

// FIPS 180-4's own examples (NIST CSRC, SHA256.pdf) and the empty message.
TEST(Sha256, MatchesThePublishedExamples) {
  EXPECT_EQ(digest("", 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest(std::string(1'000'000, 'a'), 4096),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, IsTheSameHoweverTheBytesAreCut) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const std::string part = text.substr(0, size);
    const std::string whole = digest(part, size + 1);
    for (const std::size_t piece : {1, 3, 55, 64, 65, 128}) ASSERT_EQ(digest(part, piece), whole) << size << " " << piece;
  }
}

TEST(Sha256, IsTheSameWithoutTheProcessorsOwnInstructions) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < 10'000; ++i) bytes.push_back(static_cast<std::byte>(i * i >> 3));
  for (const std::size_t size : {std::size_t{0}, std::size_t{64}, std::size_t{1'000}, bytes.size()}) {
    Sha256 by_extensions;
    Sha256 plain(false);
    by_extensions.update(std::span(bytes).first(size));
    plain.update(std::span(bytes).first(size));
    EXPECT_EQ(by_extensions.hex_digest(), plain.hex_digest()) << size;
  }
}

}  // namespace
}  // namespace plumbline
