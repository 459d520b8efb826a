#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/metadata.h"
#include "gguf/types.h"

namespace plumbline::test {

using Bytes = std::vector<std::byte>;

/// Builds GGUF files in memory, well-formed ones; `mark` remembers where each part of the structure lies, so that a test
/// can damage exactly that part. Metadata first, then tensors.
class GgufWriter {
 public:
  explicit GgufWriter(std::uint32_t version = 3) : version_(version) {}

  template <typename T>
    requires std::integral<T> || std::floating_point<T>
  GgufWriter& value(std::string_view key, gguf::ValueType type, T value) {
    begin_entry(key, type);
    put(metadata_, value);
    return *this;
  }

  GgufWriter& text(std::string_view key, std::string_view value) {
    begin_entry(key, gguf::ValueType::string);
    put_text(metadata_, value);
    return *this;
  }

  template <typename Range>
  GgufWriter& strings(std::string_view key, const Range& values) {
    begin_array(key, gguf::ValueType::string, std::size(values));
    for (const auto& value : values) put_text(metadata_, value);
    return *this;
  }

  template <typename T>
  GgufWriter& numbers(std::string_view key, gguf::ValueType element, const std::vector<T>& values) {
    begin_array(key, element, values.size());
    for (const T value : values) put(metadata_, value);
    return *this;
  }

  /// `shape` in ggml order. Without `data` the tensor is zeros.
  GgufWriter& tensor(std::string_view name, const std::vector<std::uint64_t>& shape, gguf::Type type,
                     std::span<const std::byte> data = {}) {
    ++tensor_count_;
    const std::string key(name);
    mark_tensor("tensor name " + key);
    put_text(tensors_, name);
    mark_tensor("tensor rank " + key);
    put(tensors_, static_cast<std::uint32_t>(shape.size()));
    mark_tensor("tensor shape " + key);
    std::uint64_t elements = 1;
    for (const std::uint64_t extent : shape) {
      put(tensors_, extent);
      elements *= extent;
    }
    mark_tensor("tensor type " + key);
    put(tensors_, static_cast<std::uint32_t>(type));
    mark_tensor("tensor offset " + key);
    while (data_.size() % alignment_ != 0) data_.push_back({});
    put(tensors_, static_cast<std::uint64_t>(data_.size()));
    data_marks_["data " + key] = data_.size();
    const std::uint64_t bytes = elements / gguf::info(type).block_elements * gguf::info(type).block_bytes;
    const std::size_t before = data_.size();
    data_.insert(data_.end(), data.begin(), data.end());
    data_.resize(before + bytes);
    return *this;
  }

  /// Of the tensor data; also write the key general.alignment, unless it is 32.
  GgufWriter& alignment(std::uint64_t bytes) {
    alignment_ = bytes;
    return *this;
  }

  Bytes bytes() {
    Bytes file;
    marks_.clear();
    marks_["magic"] = 0;
    for (const char letter : std::string_view("GGUF")) file.push_back(static_cast<std::byte>(letter));
    marks_["version"] = file.size();
    put(file, version_);
    marks_["tensor count"] = file.size();
    put(file, tensor_count_);
    marks_["pair count"] = file.size();
    put(file, entry_count_);
    for (const auto& [name, at] : metadata_marks_) marks_[name] = file.size() + at;
    file.insert(file.end(), metadata_.begin(), metadata_.end());
    for (const auto& [name, at] : tensor_marks_) marks_[name] = file.size() + at;
    file.insert(file.end(), tensors_.begin(), tensors_.end());
    if (tensor_count_ > 0) {
      while (file.size() % alignment_ != 0) file.push_back({});
    }
    for (const auto& [name, at] : data_marks_) marks_[name] = file.size() + at;
    file.insert(file.end(), data_.begin(), data_.end());
    return file;
  }

  /// Where a part begins in what bytes() last returned: "magic", "version", "tensor count", "pair count", "key K",
  /// "type K", "value K", "element type K", "length K", "tensor name T", "tensor rank T", "tensor shape T",
  /// "tensor type T", "tensor offset T", "data T".
  std::size_t mark(const std::string& part) const { return marks_.at(part); }
  const std::map<std::string, std::size_t>& marks() const { return marks_; }

 private:
  template <typename T>
  static void put(Bytes& bytes, T value) {
    const auto* const first = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), first, first + sizeof value);
  }
  static void put_text(Bytes& bytes, std::string_view text) {
    put(bytes, static_cast<std::uint64_t>(text.size()));
    for (const char letter : text) bytes.push_back(static_cast<std::byte>(letter));
  }
  void begin_entry(std::string_view key, gguf::ValueType type) {
    ++entry_count_;
    const std::string name(key);
    metadata_marks_["key " + name] = metadata_.size();
    put_text(metadata_, key);
    metadata_marks_["type " + name] = metadata_.size();
    put(metadata_, static_cast<std::uint32_t>(type));
    metadata_marks_["value " + name] = metadata_.size();
  }
  void begin_array(std::string_view key, gguf::ValueType element, std::size_t count) {
    begin_entry(key, gguf::ValueType::array);
    const std::string name(key);
    metadata_marks_["element type " + name] = metadata_.size();
    put(metadata_, static_cast<std::uint32_t>(element));
    metadata_marks_["length " + name] = metadata_.size();
    put(metadata_, static_cast<std::uint64_t>(count));
    metadata_marks_["value " + name] = metadata_.size();
  }
  void mark_tensor(const std::string& part) { tensor_marks_[part] = tensors_.size(); }

  std::uint32_t version_;
  std::uint64_t alignment_ = 32;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t entry_count_ = 0;
  Bytes metadata_;
  Bytes tensors_;
  Bytes data_;
  std::map<std::string, std::size_t> metadata_marks_;
  std::map<std::string, std::size_t> tensor_marks_;
  std::map<std::string, std::size_t> data_marks_;
  std::map<std::string, std::size_t> marks_;
};

/// A file under the temporary directory, removed with the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::span<const std::byte> bytes, const std::string& name = "plumbline-test.gguf")
      : path_(std::filesystem::temp_directory_path() / (std::to_string(reinterpret_cast<std::uintptr_t>(this)) + name)) {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace plumbline::test
