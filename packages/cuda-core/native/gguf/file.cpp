#include "gguf/file.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>
#include <string>

#include "gguf/reader.h"
#include "gguf/refusal.h"

namespace plumbline::gguf {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kMaxAlignment = 1u << 20;
constexpr std::uint64_t kMaxKeyBytes = 65'535;
constexpr std::uint64_t kMaxTensorNameBytes = 64;

// The least that a thing can have, so that a count is known to be absurd before anything is made for it.
/// Key length, one character, type, a one-byte value.
constexpr std::uint64_t kLeastEntryBytes = 8 + 1 + 4 + 1;
/// Name length, one character, rank, one dimension, type, offset.
constexpr std::uint64_t kLeastTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;

struct Header {
  std::uint32_t version;
  std::uint64_t tensors;
  std::uint64_t entries;
};

Header read_header(Reader& reader) {
  const auto magic = reader.take(kMagic.size(), {"magic"});
  if (!std::ranges::equal(magic, std::as_bytes(std::span(kMagic)))) {
    throw_invalid({"magic"}, 0, "\"GGUF\"", "other bytes: this is no GGUF file");
  }
  const std::uint64_t version_offset = reader.offset();
  const auto version = reader.number<std::uint32_t>({"version"});
  if (version != 2 && version != 3) {
    const bool swapped = version != 0 && (version & 0xFFFFu) == 0;
    throw_invalid({"version"}, version_offset, "2 or 3",
                  swapped ? "a big-endian file" : std::to_string(version) + (version == 1 ? " (convert it anew)" : ""));
  }
  // Both counts are bounded by the whole rest here; each section tightens its own as it is read.
  const auto tensors = reader.count({"tensor count"}, kLeastTensorBytes, kMaxTensors);
  const auto entries = reader.count({"metadata pair count"}, kLeastEntryBytes, kMaxEntries);
  return {version, tensors, entries};
}

/// Bytes of a value of fixed size; 0 for strings, arrays and ids that are none.
std::uint64_t scalar_bytes(ValueType type) noexcept {
  switch (type) {
    case ValueType::u8:
    case ValueType::i8:
    case ValueType::boolean: return 1;
    case ValueType::u16:
    case ValueType::i16: return 2;
    case ValueType::u32:
    case ValueType::i32:
    case ValueType::f32: return 4;
    case ValueType::u64:
    case ValueType::i64:
    case ValueType::f64: return 8;
    case ValueType::string:
    case ValueType::array: return 0;
  }
  return 0;
}

ValueType read_value_type(Reader& reader, const Field& field) {
  const std::uint64_t at = reader.offset();
  const auto id = reader.number<std::uint32_t>(field);
  if (id > static_cast<std::uint32_t>(ValueType::f64)) throw_invalid(field, at, "a value type from 0 to 12", std::to_string(id));
  return static_cast<ValueType>(id);
}

bool as_boolean(std::byte byte, std::uint64_t offset, const Field& field) {
  if (byte > std::byte{1}) throw_invalid(field, offset, "0 or 1", std::to_string(std::to_integer<unsigned>(byte)));
  return byte == std::byte{1};
}

ArrayView read_array(Reader& reader, std::string_view key) {
  const Field type_field{"element type of", key};
  const std::uint64_t type_offset = reader.offset();
  const ValueType element = read_value_type(reader, type_field);
  if (element == ValueType::array) throw_invalid(type_field, type_offset, "anything but arrays", "an array of arrays");

  const std::uint64_t element_bytes = scalar_bytes(element);
  const bool strings = element == ValueType::string;
  const std::uint64_t count = reader.count({"length of", key}, strings ? sizeof(std::uint64_t) : element_bytes,
                                           std::numeric_limits<std::uint64_t>::max());
  if (!strings) {
    const std::uint64_t offset = reader.offset();
    const auto bytes = reader.take(count * element_bytes, {"metadata", key});
    if (element == ValueType::boolean) {
      for (std::uint64_t index = 0; index < count; ++index) as_boolean(bytes[index], offset + index, {"metadata", key, index});
    }
    return {element, count, bytes};
  }
  Reader start = reader;
  const std::uint64_t offset = reader.offset();
  for (std::uint64_t index = 0; index < count; ++index) reader.text({"metadata", key, index});
  return {element, count, start.take(reader.offset() - offset, {"metadata", key})};
}

Value read_value(Reader& reader, ValueType type, std::string_view key) {
  const Field field{"metadata", key};
  const std::uint64_t offset = reader.offset();
  const auto widened = [&]<typename Narrow, typename Wide>(Narrow, Wide) -> Value {
    return static_cast<Wide>(reader.number<Narrow>(field));
  };
  switch (type) {
    case ValueType::u8: return widened(std::uint8_t{}, std::uint64_t{});
    case ValueType::u16: return widened(std::uint16_t{}, std::uint64_t{});
    case ValueType::u32: return widened(std::uint32_t{}, std::uint64_t{});
    case ValueType::u64: return widened(std::uint64_t{}, std::uint64_t{});
    case ValueType::i8: return widened(std::int8_t{}, std::int64_t{});
    case ValueType::i16: return widened(std::int16_t{}, std::int64_t{});
    case ValueType::i32: return widened(std::int32_t{}, std::int64_t{});
    case ValueType::i64: return widened(std::int64_t{}, std::int64_t{});
    case ValueType::f32: return widened(float{}, double{});
    case ValueType::f64: return widened(double{}, double{});
    case ValueType::boolean: return as_boolean(reader.take(1, field)[0], offset, field);
    case ValueType::string: return reader.text(field);
    case ValueType::array: return read_array(reader, key);
  }
  throw_invalid(field, offset, "a value type from 0 to 12", "another");
}

std::string_view read_name(Reader& reader, const Field& field, std::uint64_t most_bytes) {
  const std::uint64_t at = reader.offset();
  const std::string_view name = reader.text(field);
  if (name.empty() || name.size() > most_bytes) {
    throw_invalid(field, at, "1 to " + std::to_string(most_bytes) + " bytes", std::to_string(name.size()));
  }
  return name;
}

Metadata read_metadata(Reader& reader, std::uint64_t count) {
  std::vector<Entry> entries;
  entries.reserve(count);
  for (std::uint64_t index = 0; index < count; ++index) {
    const std::string_view key = read_name(reader, {"metadata key", {}, index}, kMaxKeyBytes);
    const ValueType type = read_value_type(reader, {"type of", key});
    const std::uint64_t offset = reader.offset();
    entries.push_back({key, type, offset, read_value(reader, type, key)});
  }
  return Metadata(std::move(entries), reader.offset());
}

std::uint64_t read_alignment(const Metadata& metadata) {
  constexpr std::string_view kKey = "general.alignment";
  const std::uint64_t alignment = metadata.unsigned_integer(kKey).value_or(kDefaultAlignment);
  if (!std::has_single_bit(alignment) || alignment < 8 || alignment > kMaxAlignment) {
    throw_invalid({"metadata", kKey}, metadata.offset_of(kKey), "a power of two from 8 to " + std::to_string(kMaxAlignment),
                  std::to_string(alignment));
  }
  return alignment;
}

/// a * b, if that is less than 2^63.
std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b) noexcept {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (b != 0 && a > kMost / b) return std::nullopt;
  return a * b;
}

/// `offset` of the result still counts from the start of the tensor data.
TensorInfo read_tensor(Reader& reader, std::uint64_t index, std::uint64_t alignment) {
  const std::uint64_t info_offset = reader.offset();
  TensorInfo tensor{.name = read_name(reader, {"tensor name", {}, index}, kMaxTensorNameBytes),
                    .shape = {1, 1, 1, 1},
                    .rank = 0,
                    .type = Type::F32,
                    .offset = 0,
                    .bytes = 0,
                    .info_offset = info_offset};
  const Field rank_field{"rank of", tensor.name};
  const std::uint64_t rank_offset = reader.offset();
  tensor.rank = reader.number<std::uint32_t>(rank_field);
  if (tensor.rank < 1 || tensor.rank > kMaxRank) {
    throw_invalid(rank_field, rank_offset, "1 to " + std::to_string(kMaxRank), std::to_string(tensor.rank));
  }

  std::optional<std::uint64_t> elements = 1;
  for (std::uint32_t dimension = 0; dimension < tensor.rank; ++dimension) {
    const Field field{"shape of", tensor.name, dimension};
    const std::uint64_t at = reader.offset();
    const auto extent = reader.number<std::uint64_t>(field);
    if (extent == 0) throw_invalid(field, at, "at least 1", "0");
    tensor.shape[dimension] = extent;
    elements = product(*elements, extent);
    if (!elements) throw_invalid(field, at, "a shape of less than 2^63 values", std::to_string(extent) + " times the rest");
  }

  const Field type_field{"type of", tensor.name};
  const auto type_id = reader.number<std::uint32_t>(type_field);
  const TypeInfo* const type = find_type(type_id);
  if (type == nullptr) throw_invalid(type_field, tensor.type_offset(), "the id of a ggml type", std::to_string(type_id));
  tensor.type = type->type;
  if (tensor.shape[0] % type->block_elements != 0) {
    throw_invalid({"shape of", tensor.name, 0}, tensor.shape_offset(),
                  "a multiple of " + std::to_string(type->block_elements) + ", the block of " + std::string(type->name),
                  std::to_string(tensor.shape[0]));
  }
  const auto bytes = product(*elements / type->block_elements, type->block_bytes);
  if (!bytes) throw_invalid({"shape of", tensor.name}, tensor.shape_offset(), "less than 2^63 bytes", "more");
  tensor.bytes = *bytes;

  const Field offset_field{"offset of", tensor.name};
  const std::uint64_t offset_offset = reader.offset();
  tensor.offset = reader.number<std::uint64_t>(offset_field);
  if (tensor.offset % alignment != 0) {
    throw_invalid(offset_field, offset_offset, "a multiple of the alignment, " + std::to_string(alignment),
                  std::to_string(tensor.offset));
  }
  return tensor;
}

/// Moves a tensor's offset from the data section's start to the file's, if all of it is in the file.
void place_in_file(TensorInfo& tensor, std::uint64_t data_start, std::uint64_t file_bytes) {
  const std::uint64_t data_bytes = file_bytes > data_start ? file_bytes - data_start : 0;
  if (tensor.offset > data_bytes || tensor.bytes > data_bytes - tensor.offset) {
    throw_invalid({"data of", tensor.name}, data_start,
                  std::to_string(tensor.bytes) + " bytes from " + std::to_string(tensor.offset) + " on",
                  std::to_string(data_bytes) + " bytes of tensor data in the file");
  }
  tensor.offset += data_start;
}

std::vector<TensorInfo> read_tensors(Reader& reader, std::uint64_t count, std::uint64_t alignment,
                                     std::uint64_t file_bytes) {
  std::vector<TensorInfo> tensors;
  tensors.reserve(count);
  for (std::uint64_t index = 0; index < count; ++index) tensors.push_back(read_tensor(reader, index, alignment));
  // Neither term can be near 2^64: the reader is inside the file, and the alignment is bounded.
  const std::uint64_t data_start = (reader.offset() + alignment - 1) & ~(alignment - 1);
  for (TensorInfo& tensor : tensors) place_in_file(tensor, data_start, file_bytes);
  return tensors;
}

void require_disjoint(std::span<const TensorInfo> tensors) {
  std::vector<std::uint32_t> by_offset(tensors.size());
  std::iota(by_offset.begin(), by_offset.end(), 0u);
  std::ranges::sort(by_offset, {}, [&](std::uint32_t index) { return tensors[index].offset; });
  for (std::size_t at = 1; at < by_offset.size(); ++at) {
    const TensorInfo& before = tensors[by_offset[at - 1]];
    const TensorInfo& after = tensors[by_offset[at]];
    if (before.offset + before.bytes > after.offset) {
      throw_invalid({"data of", after.name}, after.offset,
                    "at least " + std::to_string(before.offset + before.bytes) + ", where " + std::string(before.name) + " ends",
                    "an overlap");
    }
  }
}

}  // namespace

File::File(Mapping mapping, std::span<const std::byte> bytes) : mapping_(std::move(mapping)), bytes_(bytes) {
  Reader reader(bytes_);
  const Header header = read_header(reader);
  version_ = header.version;
  metadata_ = read_metadata(reader, header.entries);
  tensors_ = read_tensors(reader, header.tensors, read_alignment(metadata_), bytes_.size());
  tensors_end_offset_ = reader.offset();
  require_disjoint(tensors_);

  by_name_.resize(tensors_.size());
  std::iota(by_name_.begin(), by_name_.end(), 0u);
  const auto name_of = [this](std::uint32_t index) { return tensors_[index].name; };
  std::ranges::stable_sort(by_name_, {}, name_of);
  const auto duplicate = std::ranges::adjacent_find(by_name_, {}, name_of);
  if (duplicate != by_name_.end()) {
    const TensorInfo& second = tensors_[*std::next(duplicate)];
    throw_invalid({"tensor", second.name}, second.info_offset, "each name once", "the name a second time");
  }
}

File File::open(const std::filesystem::path& path) {
  Mapping mapping(path);
  const auto bytes = mapping.bytes();
  return File(std::move(mapping), bytes);
}

File File::parse(std::span<const std::byte> bytes) { return File(Mapping(), bytes); }

const TensorInfo* File::find_tensor(std::string_view name) const noexcept {
  const auto name_of = [this](std::uint32_t index) { return tensors_[index].name; };
  const auto found = std::ranges::lower_bound(by_name_, name, {}, name_of);
  return found != by_name_.end() && name_of(*found) == name ? &tensors_[*found] : nullptr;
}

void require_supported_types(const File& file) {
  for (const TensorInfo& tensor : file.tensors()) {
    const TypeInfo& type = info(tensor.type);
    if (type.supported) continue;
    const std::string expected = "F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q5_K Q6_K";
    refuse(ErrorCode::unsupported_tensor_type,
           "tensor " + std::string(tensor.name) + " has the type " + std::string(type.name) +
               ", which this engine does not compute with (" + expected + ')',
           {"type of", tensor.name}, tensor.type_offset(), expected, std::string(type.name));
  }
}

}  // namespace plumbline::gguf
