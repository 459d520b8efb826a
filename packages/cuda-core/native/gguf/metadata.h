#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace plumbline::gguf {

/// Value types with their ids (ggml/docs/gguf.md, gguf_metadata_value_type).
enum class ValueType : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

/// For example "u32"; "?" for an id that is none.
std::string_view name(ValueType type) noexcept;

/// The strings of an array where they lie in the file: each an 8-byte length and the bytes. Checked once, when the file
/// was opened, so walking them checks nothing; there is no random access and no copy.
class StringArray {
 public:
  class Iterator {
   public:
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(const std::byte* at) : at_(at) {}
    std::string_view operator*() const noexcept;
    Iterator& operator++() noexcept;
    Iterator operator++(int) noexcept {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const std::byte* at_ = nullptr;
  };

  StringArray(std::span<const std::byte> bytes, std::uint64_t count) : bytes_(bytes), count_(count) {}
  Iterator begin() const noexcept { return Iterator(bytes_.data()); }
  Iterator end() const noexcept { return Iterator(bytes_.data() + bytes_.size()); }
  std::uint64_t size() const noexcept { return count_; }

 private:
  std::span<const std::byte> bytes_;
  std::uint64_t count_;
};

/// An array where it lies in the file, little-endian and of any alignment.
struct ArrayView {
  ValueType element;
  std::uint64_t count;
  std::span<const std::byte> bytes;
};

/// Integers of all widths widen to 64 bits, f32 to double; text and arrays are views into the file.
using Value = std::variant<std::uint64_t, std::int64_t, double, bool, std::string_view, ArrayView>;

struct Entry {
  std::string_view key;
  ValueType type;
  /// Of the value, from the start of the file.
  std::uint64_t offset;
  Value value;
};

/// A file's key-value pairs, in the file's order. A key that is there with a value of another type (or out of range) is
/// an INVALID_GGUF error that names the key, its offset and what was expected; so is a `require_` of an absent key.
class Metadata {
 public:
  Metadata() = default;
  /// `end_offset`: where the pairs end in the file, for errors about one that is missing.
  Metadata(std::vector<Entry> entries, std::uint64_t end_offset);

  std::span<const Entry> entries() const noexcept { return entries_; }
  const Entry* find(std::string_view key) const noexcept;
  /// Of the value, from the start of the file; of a key that is missing: where the pairs end.
  std::uint64_t offset_of(std::string_view key) const noexcept;

  /// Any integer type that holds a value >= 0.
  std::optional<std::uint64_t> unsigned_integer(std::string_view key) const;
  /// f32, f64 or any integer.
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::string_view> text(std::string_view key) const;
  std::optional<StringArray> strings(std::string_view key) const;
  /// Copies of an array of i32 or u32 (token types).
  std::optional<std::vector<std::int32_t>> integers(std::string_view key) const;
  /// Copies of an array of f32 (scores, rope factors).
  std::optional<std::vector<float>> floats(std::string_view key) const;

  std::uint64_t require_unsigned_integer(std::string_view key) const;
  double require_number(std::string_view key) const;
  std::string_view require_text(std::string_view key) const;
  StringArray require_strings(std::string_view key) const;

 private:
  template <typename T>
  T required(std::optional<T> value, std::string_view key) const;

  std::vector<Entry> entries_;
  std::uint64_t end_offset_ = 0;
  /// Indices into entries_, by key.
  std::vector<std::uint32_t> by_key_;
};

}  // namespace plumbline::gguf
