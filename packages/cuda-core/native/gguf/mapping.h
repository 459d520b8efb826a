#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace plumbline::gguf {

/// A file mapped read-only. If another process cuts the file short while it is mapped, touching the lost pages ends this
/// process with SIGBUS, as with every mapping: the engine process is there to be lost (DESIGN.md decision 1).
class Mapping {
 public:
  Mapping() = default;
  /// Throws MODEL_NOT_FOUND when there is no such file and MODEL_LOAD_FAILED when it is none that can be mapped.
  explicit Mapping(const std::filesystem::path& path);
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  std::span<const std::byte> bytes() const noexcept { return bytes_; }

  /// Takes the pages that lie wholly in `part` out of this process's memory, until they are read again. Nothing where
  /// nothing is mapped.
  void give_back(std::span<const std::byte> part) const noexcept;

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace plumbline::gguf
