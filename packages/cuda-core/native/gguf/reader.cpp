#include "gguf/reader.h"

#include <bit>
#include <string>

#include "gguf/utf8.h"

namespace plumbline::gguf {

static_assert(std::endian::native == std::endian::little, "GGUF files are read as they are");

std::span<const std::byte> Reader::take(std::uint64_t count, const Field& field) {
  if (count > remaining()) {
    throw_invalid(field, at_, std::to_string(count) + " bytes",
                  std::to_string(remaining()) + " before the end of the file");
  }
  const auto taken = bytes_.subspan(at_, count);
  at_ += count;
  return taken;
}

std::uint64_t Reader::count(const Field& field, std::uint64_t least_bytes, std::uint64_t most) {
  const std::uint64_t at = at_;
  const auto count = number<std::uint64_t>(field);
  if (count > most) throw_invalid(field, at, "at most " + std::to_string(most), std::to_string(count));
  if (count > remaining() / least_bytes) {
    throw_invalid(field, at,
                  "at most " + std::to_string(remaining() / least_bytes) + ", for which the file has room",
                  std::to_string(count));
  }
  return count;
}

std::string_view Reader::text(const Field& field) {
  const std::uint64_t at = at_;
  const auto length = number<std::uint64_t>(field);
  if (length > remaining()) {
    throw_invalid(field, at, "a string of at most " + std::to_string(remaining()) + " bytes, which the file still has",
                  "a length of " + std::to_string(length));
  }
  const auto bytes = take(length, field);
  const std::size_t invalid = first_invalid_utf8(bytes);
  if (invalid < bytes.size()) {
    throw_invalid(field, at_ - length + invalid, "UTF-8",
                  "byte " + std::to_string(std::to_integer<unsigned>(bytes[invalid])));
  }
  // std::byte and char may alias each other: both may look at any object.
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace plumbline::gguf
