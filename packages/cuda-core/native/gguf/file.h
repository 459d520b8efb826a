#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "gguf/mapping.h"
#include "gguf/metadata.h"
#include "gguf/types.h"

namespace plumbline::gguf {

/// Far above what any model has; a count beyond it is damage, and what is allocated for one stays under 16 MiB.
inline constexpr std::uint64_t kMaxEntries = 65'536;
inline constexpr std::uint64_t kMaxTensors = 65'536;
inline constexpr std::uint32_t kMaxRank = 4;

struct TensorInfo {
  /// A view into the file.
  std::string_view name;
  /// ggml order: ne0, the contiguous dimension, first. Dimensions from `rank` on are 1.
  std::array<std::uint64_t, kMaxRank> shape;
  std::uint32_t rank;
  Type type;
  /// Of the tensor's first byte, from the start of the file: a multiple of the file's alignment.
  std::uint64_t offset;
  std::uint64_t bytes;

  /// Where the file describes it: name (8 bytes of length before it), rank (4), shape (8 for each dimension), type (4).
  std::uint64_t info_offset;

  std::uint64_t shape_offset() const noexcept { return info_offset + 8 + name.size() + 4; }
  std::uint64_t type_offset() const noexcept { return shape_offset() + std::uint64_t{8} * rank; }
  std::uint64_t elements() const noexcept { return shape[0] * shape[1] * shape[2] * shape[3]; }
};

/// A GGUF file (version 2 or 3, little-endian), mapped into memory and checked as a whole when it is opened: afterwards
/// every view it hands out lies inside the map, tensors are aligned and don't overlap, names are unique, strings are
/// UTF-8. The views live as long as the File (which may be moved). Format: ggml/docs/gguf.md.
class File {
 public:
  /// Throws MODEL_NOT_FOUND (no such file), or INVALID_GGUF naming `field`, `offset` and what was `expected`.
  static File open(const std::filesystem::path& path);

  /// The same over bytes in memory, which must outlive the File (tests, fuzzing).
  static File parse(std::span<const std::byte> bytes);

  std::uint32_t version() const noexcept { return version_; }
  const Metadata& metadata() const noexcept { return metadata_; }
  /// Where the list of tensors ends, for errors about one that is missing.
  std::uint64_t tensors_end_offset() const noexcept { return tensors_end_offset_; }
  /// In the file's order.
  std::span<const TensorInfo> tensors() const noexcept { return tensors_; }
  /// nullptr when there is none of that name.
  const TensorInfo* find_tensor(std::string_view name) const noexcept;
  std::span<const std::byte> tensor_bytes(const TensorInfo& tensor) const noexcept {
    return bytes_.subspan(tensor.offset, tensor.bytes);
  }
  /// Says that nobody will read the tensor again soon: its pages need not stay in memory. Reading it is still right.
  void give_back(const TensorInfo& tensor) const noexcept { mapping_.give_back(tensor_bytes(tensor)); }
  std::uint64_t size() const noexcept { return bytes_.size(); }

 private:
  File(Mapping mapping, std::span<const std::byte> bytes);

  Mapping mapping_;
  std::span<const std::byte> bytes_;
  std::uint32_t version_ = 0;
  Metadata metadata_;
  std::vector<TensorInfo> tensors_;
  std::uint64_t tensors_end_offset_ = 0;
  /// Indices into tensors_, by name.
  std::vector<std::uint32_t> by_name_;
};

/// Throws UNSUPPORTED_TENSOR_TYPE (`field`, `offset`, `expected`, `found`) for the first tensor whose type the engine does not compute with.
void require_supported_types(const File& file);

}  // namespace plumbline::gguf
