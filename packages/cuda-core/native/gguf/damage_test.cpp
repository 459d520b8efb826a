// Every kind of damage that a file can have ends in a typed error that names the field, the offset and what was expected,
// without a crash and without more memory than 2x the file + 16 MiB.
#include <cstring>
#include <limits>
#include <type_traits>

#include <gtest/gtest.h>

#include "allocation_meter.h"
#include "error.h"
#include "gguf/file.h"
#include "gguf_writer.h"

namespace plumbline::gguf {
namespace {

using test::Bytes;
using test::GgufWriter;

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

/// Something of every structure there is.
GgufWriter sample_file() {
  GgufWriter writer;
  writer.text("general.architecture", "llama")
      .value("general.alignment", ValueType::u32, std::uint32_t{32})
      .value("flag", ValueType::boolean, std::uint8_t{1})
      .value("count", ValueType::u32, std::uint32_t{7})
      .value("epsilon", ValueType::f32, 1e-5f)
      .strings("tokens", std::vector<std::string>{"a", "bc", "\xE2\x96\x81"})
      .numbers("types", ValueType::i32, std::vector<std::int32_t>{1, 2, 3})
      .numbers("flags", ValueType::boolean, std::vector<std::uint8_t>{0, 1})
      .tensor("first", {32, 4}, Type::F32)
      .tensor("second", {64, 3}, Type::Q8_0)
      .tensor("third", {5}, Type::F16);
  return writer;
}

/// Overwrites the first `size` bytes at `shift` behind the begin of a part with those of `value`.
struct Patch {
  const char* part = nullptr;
  std::uint64_t value = 0;
  std::size_t size = 0;
  std::size_t shift = 0;
};

template <typename T>
constexpr Patch put(const char* part, T value, std::size_t shift = 0) {
  return {part, static_cast<std::make_unsigned_t<T>>(value), sizeof value, shift};
}

struct Damage {
  const char* name;
  Patch patch;
  /// What the error's field and expectation contain, and the part of the file that its offset points at.
  const char* field;
  const char* at;
  const char* expected;
  /// How far behind the part's begin the offset may lie.
  std::uint64_t reach = 16;
  Patch second_patch = {};
};

void PrintTo(const Damage& damage, std::ostream* stream) { *stream << damage.name; }

void apply(const Patch& patch, Bytes& file, const GgufWriter& writer) {
  if (patch.size > 0) std::memcpy(&file.at(writer.mark(patch.part) + patch.shift), &patch.value, patch.size);
}

// Plain data: as objects, so many of them would take a sanitizing compiler minutes.
constexpr Damage kDamages[] = {
    {"wrong_magic", put("magic", 'g'), "magic", "magic", "\"GGUF\""},
    {"version_0", put("version", 0u), "version", "version", "2 or 3"},
    {"version_1", put("version", 1u), "version", "version", "2 or 3"},
    {"version_4", put("version", 4u), "version", "version", "2 or 3"},
    {"big_endian", put("version", 0x03000000u), "version", "version", "2 or 3"},
    {"tensor_count_huge", put("tensor count", kHuge), "tensor count", "tensor count", "at most 65536"},
    {"tensor_count_beyond_file", put("tensor count", std::uint64_t{65'536}), "tensor count", "tensor count", "the file has room"},
    {"tensor_count_one_too_many", put("tensor count", std::uint64_t{4}), "tensor name[3]", "tensor offset third", "1 to 64 bytes"},
    {"pair_count_huge", put("pair count", kHuge), "metadata pair count", "pair count", "at most 65536"},
    {"pair_count_beyond_file", put("pair count", std::uint64_t{65'536}), "metadata pair count", "pair count", "the file has room"},
    {"pair_count_one_too_many", put("pair count", std::uint64_t{9}), "tensor name[0]", "tensor shape first", "a string of at most"},
    {"pair_count_one_too_few", put("pair count", std::uint64_t{7}), "rank of flags", "type flags", "1 to 4"},
    {"key_length_huge", put("key count", kHuge), "metadata key[3]", "key count", "a string of at most"},
    {"key_length_beyond_file", put("key count", std::uint64_t{1} << 40), "metadata key[3]", "key count", "a string of at most"},
    {"key_empty", put("key flag", std::uint64_t{0}), "metadata key[2]", "key flag", "1 to 65535 bytes"},
    {"key_not_utf8", put("key count", '\xC0', 8), "metadata key[3]", "key count", "UTF-8"},
    {"value_type_unknown", put("type count", 13u), "type of count", "type count", "a value type from 0 to 12"},
    {"value_type_huge", put("type count", 0xFFFFFFFFu), "type of count", "type count", "a value type from 0 to 12"},
    {"boolean_2", put("value flag", std::uint8_t{2}), "metadata flag", "value flag", "0 or 1"},
    {"boolean_in_array_255", put("value flags", std::uint8_t{255}, 1), "metadata flags[1]", "value flags", "0 or 1"},
    {"string_length_huge", put("value general.architecture", kHuge), "metadata general.architecture", "value general.architecture", "a string of at most"},
    {"string_length_beyond_file", put("value general.architecture", std::uint64_t{1} << 33), "metadata general.architecture", "value general.architecture", "a string of at most"},
    {"string_not_utf8", put("value general.architecture", '\xFF', 9), "metadata general.architecture", "value general.architecture", "UTF-8"},
    {"string_overlong_utf8", put("value general.architecture", std::uint16_t{0x80C0}, 8), "metadata general.architecture", "value general.architecture", "UTF-8"},
    {"string_surrogate_utf8", put("value general.architecture", std::uint32_t{0x6180A0ED}, 8), "metadata general.architecture", "value general.architecture", "UTF-8"},
    {"element_type_unknown", put("element type types", 99u), "element type of types", "element type types", "a value type from 0 to 12"},
    {"nested_array", put("element type types", 9u), "element type of types", "element type types", "anything but arrays"},
    {"array_length_huge", put("length types", kHuge), "length of types", "length types", "the file has room"},
    {"array_length_product_overflows", put("length types", (std::uint64_t{1} << 62) + 3), "length of types", "length types", "the file has room"},
    {"array_length_beyond_file", put("length types", std::uint64_t{1'000'000}), "length of types", "length types", "the file has room"},
    {"string_array_length_huge", put("length tokens", kHuge / 8), "length of tokens", "length tokens", "the file has room"},
    {"string_array_element_length_huge", put("value tokens", kHuge), "metadata tokens[0]", "value tokens", "a string of at most"},
    {"string_array_element_not_utf8", put("value tokens", '\x80', 8), "metadata tokens[0]", "value tokens", "UTF-8"},
    {"string_array_element_cut_character", put("value tokens", '\xE2', 8), "metadata tokens[0]", "value tokens", "UTF-8"},
    {"alignment_0", put("value general.alignment", 0u), "metadata general.alignment", "value general.alignment", "a power of two"},
    {"alignment_no_power_of_two", put("value general.alignment", 24u), "metadata general.alignment", "value general.alignment", "a power of two"},
    {"alignment_huge", put("value general.alignment", 0x80000000u), "metadata general.alignment", "value general.alignment", "a power of two"},
    {"alignment_of_wrong_type", put("type general.alignment", static_cast<std::uint32_t>(ValueType::f32)), "metadata general.alignment", "value general.alignment", "an integer"},
    {"tensor_name_length_huge", put("tensor name second", kHuge), "tensor name[1]", "tensor name second", "a string of at most"},
    {"tensor_name_empty", put("tensor name second", std::uint64_t{0}), "tensor name[1]", "tensor name second", "1 to 64 bytes"},
    {"tensor_name_too_long", put("tensor name second", std::uint64_t{65}), "tensor name[1]", "tensor name second", "1 to 64 bytes"},
    {"tensor_name_not_utf8", put("tensor name second", '\xF5', 8), "tensor name[1]", "tensor name second", "UTF-8"},
    {"rank_0", put("tensor rank second", 0u), "rank of second", "tensor rank second", "1 to 4"},
    {"rank_5", put("tensor rank second", 5u), "rank of second", "tensor rank second", "1 to 4"},
    {"rank_huge", put("tensor rank second", 0xFFFFFFFFu), "rank of second", "tensor rank second", "1 to 4"},
    {"extent_0", put("tensor shape second", std::uint64_t{0}, 8), "shape of second[1]", "tensor shape second", "at least 1"},
    {"extent_negative", put("tensor shape second", kHuge), "shape of second[0]", "tensor shape second", "less than 2^63"},
    {"shape_product_overflows", put("tensor shape second", std::uint64_t{1} << 58, 8), "shape of second[1]", "tensor shape second", "less than 2^63"},
    {"shape_product_wraps_to_0", put("tensor shape second", std::uint64_t{1} << 32), "shape of second[1]", "tensor shape second", "less than 2^63", 16, put("tensor shape second", std::uint64_t{1} << 32, 8)},
    {"bytes_overflow", put("tensor shape first", std::uint64_t{1} << 57, 8), "shape of first", "tensor shape first", "less than 2^63 bytes"},
    {"row_no_whole_block", put("tensor shape second", std::uint64_t{63}), "shape of second[0]", "tensor shape second", "a multiple of 32, the block of Q8_0"},
    {"type_unknown", put("tensor type second", 40u), "type of second", "tensor type second", "the id of a ggml type"},
    {"type_removed", put("tensor type second", 4u), "type of second", "tensor type second", "the id of a ggml type"},
    {"type_huge", put("tensor type second", 0xFFFFFFFFu), "type of second", "tensor type second", "the id of a ggml type"},
    {"offset_misaligned", put("tensor offset second", std::uint64_t{513}), "offset of second", "tensor offset second", "a multiple of the alignment, 32"},
    {"offset_beyond_file", put("tensor offset third", std::uint64_t{1} << 20), "data of third", "data first", "10 bytes from 1048576 on"},
    {"offset_near_2_64", put("tensor offset third", kHuge - 31), "data of third", "data first", "10 bytes"},
    {"tensor_larger_than_file", put("tensor shape third", std::uint64_t{1} << 40), "data of third", "data first", "bytes from"},
    {"tensors_overlap", put("tensor offset second", std::uint64_t{480}), "data of second", "data first", "where first ends", 480},
    {"tensors_at_the_same_place", put("tensor offset second", std::uint64_t{0}), "data of", "data first", "ends"},
};

class DamagedFile : public testing::TestWithParam<Damage> {};

/// Parses the bytes, which must fail with INVALID_GGUF, and returns the error. Memory stays within bounds.
Error parse_failure(const Bytes& file) {
  const test::AllocationMeter meter;
  const std::size_t bound = 2 * file.size() + (std::size_t{16} << 20);
  try {
    File::parse(file);
  } catch (const Error& error) {
    EXPECT_LE(meter.peak_bytes(), bound);
    EXPECT_EQ(error.code(), ErrorCode::invalid_gguf) << error.what();
    return error;
  }
  throw std::runtime_error("the damaged file was read without an error");
}

std::string text_field(const Error& error, const std::string& name) {
  const auto found = error.fields().find(name);
  return found == error.fields().end() ? "" : std::get<std::string>(found->second);
}

TEST_P(DamagedFile, IsATypedErrorThatNamesFieldOffsetAndExpectation) {
  const Damage& damage = GetParam();
  GgufWriter writer = sample_file();
  Bytes file = writer.bytes();
  ASSERT_NO_THROW(File::parse(file));
  apply(damage.patch, file, writer);
  apply(damage.second_patch, file, writer);
  const Error error = parse_failure(file);
  EXPECT_NE(text_field(error, "field").find(damage.field), std::string::npos) << error.what();
  EXPECT_NE(text_field(error, "expected").find(damage.expected), std::string::npos) << error.what();
  const auto offset = std::get<std::uint64_t>(error.fields().at("offset"));
  EXPECT_GE(offset, writer.mark(damage.at)) << error.what();
  EXPECT_LE(offset, writer.mark(damage.at) + damage.reach) << error.what();
}

INSTANTIATE_TEST_SUITE_P(Kinds, DamagedFile, testing::ValuesIn(kDamages),
                         [](const auto& parameter) { return std::string(parameter.param.name); });

TEST(DamagedFile, CutAtEveryByteIsATypedError) {
  GgufWriter writer = sample_file();
  const Bytes whole = writer.bytes();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    const Error error = parse_failure(cut);
    EXPECT_FALSE(text_field(error, "field").empty());
    EXPECT_FALSE(text_field(error, "expected").empty());
    EXPECT_LE(std::get<std::uint64_t>(error.fields().at("offset")), whole.size());
  }
}

TEST(DamagedFile, CutAtEveryStructuralBoundaryNamesTheOffsetOfThePart) {
  GgufWriter writer = sample_file();
  const Bytes whole = writer.bytes();
  for (const auto& [part, at] : writer.marks()) {
    if (part.starts_with("data ")) continue;  // the tensor is named; its data begins elsewhere
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(at));
    const Error error = parse_failure(cut);
    const auto offset = std::get<std::uint64_t>(error.fields().at("offset"));
    // A count or length that the rest has no room for is seen before the cut is reached.
    EXPECT_LE(offset, at) << part << ": " << error.what();
  }
}

TEST(DamagedFile, DuplicateKeyIsNamed) {
  GgufWriter writer;
  writer.value("same", ValueType::u8, std::uint8_t{1}).value("same", ValueType::u8, std::uint8_t{2});
  const Error error = parse_failure(writer.bytes());
  EXPECT_EQ(text_field(error, "field"), "metadata same");
  EXPECT_EQ(std::get<std::uint64_t>(error.fields().at("offset")), writer.mark("value same"));
}

TEST(DamagedFile, DuplicateTensorIsNamed) {
  GgufWriter writer;
  writer.tensor("same", {8}, Type::F32).tensor("same", {8}, Type::F32);
  const Error error = parse_failure(writer.bytes());
  EXPECT_EQ(text_field(error, "field"), "tensor same");
  const std::uint64_t second = writer.mark("tensor name same");  // the mark is that of the last one
  EXPECT_EQ(std::get<std::uint64_t>(error.fields().at("offset")), second);
  EXPECT_EQ(text_field(error, "expected"), "each name once");
}

TEST(DamagedFile, KeyOfMoreThan65535BytesIsRefused) {
  GgufWriter writer;
  writer.value(std::string(65'536, 'k'), ValueType::u8, std::uint8_t{1});
  EXPECT_EQ(text_field(parse_failure(writer.bytes()), "field"), "metadata key[0]");
}

TEST(DamagedFile, EveryFlippedByteIsReadOrRefusedButNeverWorse) {
  GgufWriter writer = sample_file();
  const Bytes whole = writer.bytes();
  const std::size_t structure = writer.mark("data first");
  for (std::size_t at = 0; at < structure; ++at) {
    for (const unsigned flip : {0x01u, 0x80u, 0xFFu}) {
      Bytes file = whole;
      file[at] ^= static_cast<std::byte>(flip);
      const test::AllocationMeter meter;
      try {
        const File parsed = File::parse(file);
        for (const TensorInfo& tensor : parsed.tensors()) {
          const auto bytes = parsed.tensor_bytes(tensor);
          EXPECT_LE(bytes.data() + bytes.size(), file.data() + file.size());
        }
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::invalid_gguf);
      }
      EXPECT_LE(meter.peak_bytes(), 2 * file.size() + (std::size_t{16} << 20));
    }
  }
}

TEST(DamagedFile, TheMostPairsAndTensorsThatAreReadStayWithinMemory) {
  GgufWriter writer;
  for (std::uint64_t index = 0; index < kMaxEntries; ++index) writer.value(std::to_string(index), ValueType::u8, std::uint8_t{0});
  for (std::uint64_t index = 0; index < kMaxTensors; ++index) writer.tensor(std::to_string(index), {1}, Type::I8);
  const Bytes file = writer.bytes();
  const test::AllocationMeter meter;
  EXPECT_EQ(File::parse(file).tensors().size(), kMaxTensors);
  EXPECT_LE(meter.peak_bytes(), 2 * file.size() + (std::size_t{16} << 20));
}

}  // namespace
}  // namespace plumbline::gguf
