#include "gguf/metadata.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <numeric>

#include "gguf/refusal.h"

namespace plumbline::gguf {
namespace {

std::string described(const Entry& entry) {
  if (entry.type == ValueType::array) {
    const auto& array = std::get<ArrayView>(entry.value);
    return "an array of " + std::to_string(array.count) + ' ' + std::string(name(array.element));
  }
  std::string text(name(entry.type));
  if (const auto* value = std::get_if<std::int64_t>(&entry.value)) text += ' ' + std::to_string(*value);
  return text;
}

[[noreturn]] void throw_wrong_type(const Entry& entry, const std::string& expected) {
  throw_invalid({"metadata", entry.key}, entry.offset, expected, described(entry));
}

template <typename T>
std::optional<T> value_of(const Metadata& metadata, std::string_view key, const char* expected) {
  const Entry* const entry = metadata.find(key);
  if (entry == nullptr) return std::nullopt;
  if (const T* value = std::get_if<T>(&entry->value)) return *value;
  throw_wrong_type(*entry, expected);
}

/// The elements copied out: an array in the file has no alignment.
template <typename T>
std::vector<T> copied(const ArrayView& array) {
  std::vector<T> values(array.count);
  if (!values.empty()) std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
  return values;
}

std::uint64_t length_at(const std::byte* at) noexcept {
  std::uint64_t length;
  std::memcpy(&length, at, sizeof length);
  return length;
}

}  // namespace

std::string_view name(ValueType type) noexcept {
  static constexpr std::array<std::string_view, 13> kNames = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                              "bool", "string", "array", "u64", "i64", "f64"};
  const auto id = static_cast<std::uint32_t>(type);
  return id < kNames.size() ? kNames[id] : "?";
}

std::string_view StringArray::Iterator::operator*() const noexcept {
  return {reinterpret_cast<const char*>(at_ + sizeof(std::uint64_t)), length_at(at_)};
}

StringArray::Iterator& StringArray::Iterator::operator++() noexcept {
  at_ += sizeof(std::uint64_t) + length_at(at_);
  return *this;
}

Metadata::Metadata(std::vector<Entry> entries, std::uint64_t end_offset)
    : entries_(std::move(entries)), end_offset_(end_offset), by_key_(entries_.size()) {
  std::iota(by_key_.begin(), by_key_.end(), 0u);
  const auto key = [this](std::uint32_t index) { return entries_[index].key; };
  std::ranges::stable_sort(by_key_, {}, key);
  const auto duplicate = std::ranges::adjacent_find(by_key_, {}, key);
  if (duplicate != by_key_.end()) {
    const Entry& second = entries_[*std::next(duplicate)];
    throw_invalid({"metadata", second.key}, second.offset, "each key once", "the key a second time");
  }
}

const Entry* Metadata::find(std::string_view key) const noexcept {
  const auto key_of = [this](std::uint32_t index) { return entries_[index].key; };
  const auto found = std::ranges::lower_bound(by_key_, key, {}, key_of);
  return found != by_key_.end() && key_of(*found) == key ? &entries_[*found] : nullptr;
}

std::uint64_t Metadata::offset_of(std::string_view key) const noexcept {
  const Entry* const entry = find(key);
  return entry == nullptr ? end_offset_ : entry->offset;
}

std::optional<std::uint64_t> Metadata::unsigned_integer(std::string_view key) const {
  const Entry* const entry = find(key);
  if (entry == nullptr) return std::nullopt;
  if (const auto* value = std::get_if<std::uint64_t>(&entry->value)) return *value;
  const auto* const value = std::get_if<std::int64_t>(&entry->value);
  if (value == nullptr || *value < 0) throw_wrong_type(*entry, "an integer of at least 0");
  return static_cast<std::uint64_t>(*value);
}

std::optional<double> Metadata::number(std::string_view key) const {
  const Entry* const entry = find(key);
  if (entry == nullptr) return std::nullopt;
  if (const auto* value = std::get_if<double>(&entry->value)) return *value;
  if (const auto* value = std::get_if<std::uint64_t>(&entry->value)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<std::int64_t>(&entry->value)) return static_cast<double>(*value);
  throw_wrong_type(*entry, "a number");
}

std::optional<bool> Metadata::boolean(std::string_view key) const { return value_of<bool>(*this, key, "a bool"); }

std::optional<std::string_view> Metadata::text(std::string_view key) const {
  return value_of<std::string_view>(*this, key, "a string");
}

std::optional<StringArray> Metadata::strings(std::string_view key) const {
  const auto array = value_of<ArrayView>(*this, key, "an array of strings");
  if (!array) return std::nullopt;
  if (array->element != ValueType::string) throw_wrong_type(*find(key), "an array of strings");
  return StringArray(array->bytes, array->count);
}

std::optional<std::vector<std::int32_t>> Metadata::integers(std::string_view key) const {
  const char* const expected = "an array of i32, or of u32 below 2^31";
  const auto array = value_of<ArrayView>(*this, key, expected);
  if (!array) return std::nullopt;
  if (array->element != ValueType::i32 && array->element != ValueType::u32) throw_wrong_type(*find(key), expected);
  auto values = copied<std::int32_t>(*array);
  if (array->element == ValueType::u32 && std::ranges::any_of(values, [](std::int32_t value) { return value < 0; })) {
    throw_wrong_type(*find(key), expected);
  }
  return values;
}

std::optional<std::vector<float>> Metadata::floats(std::string_view key) const {
  const auto array = value_of<ArrayView>(*this, key, "an array of f32");
  if (!array) return std::nullopt;
  if (array->element != ValueType::f32) throw_wrong_type(*find(key), "an array of f32");
  return copied<float>(*array);
}

template <typename T>
T Metadata::required(std::optional<T> value, std::string_view key) const {
  if (value) return *value;
  refuse(ErrorCode::invalid_gguf, "the GGUF file lacks the metadata key " + std::string(key), {"metadata", key}, offset_of(key),
         "the key to be there", "nothing");
}

std::uint64_t Metadata::require_unsigned_integer(std::string_view key) const {
  return required(unsigned_integer(key), key);
}

double Metadata::require_number(std::string_view key) const { return required(number(key), key); }

std::string_view Metadata::require_text(std::string_view key) const { return required(text(key), key); }

StringArray Metadata::require_strings(std::string_view key) const { return required(strings(key), key); }

}  // namespace plumbline::gguf
