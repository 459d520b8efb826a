#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "trace/sha256.h"

namespace plumbline {

/// A file that only grows, with the hash of what is in it.
class TraceFile {
 public:
  /// Throws std::system_error, as do the others.
  explicit TraceFile(std::filesystem::path path);

  /// Hands the bytes to the operating system, so that they outlive the process. If that fails, cuts off again what was
  /// written of them.
  void append(std::span<const std::byte> bytes);

  /// How far it has come.
  struct Mark {
    std::uint64_t size = 0;
    Sha256 sha256;
  };
  Mark mark() const { return {size_, sha256_}; }
  /// Cuts off what was appended since.
  void cut_back_to(const Mark& mark);

  std::uint64_t size() const { return size_; }
  std::string sha256() const { return sha256_.hex_digest(); }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::uint64_t size_ = 0;
  Sha256 sha256_;
};

/// A file whose room on the disk is taken long before there is anything to write into it.
class ReservedFile {
 public:
  /// Leaves nothing behind when it throws std::system_error, as it does if there is no room for so many bytes.
  ReservedFile(std::filesystem::path path, std::uint64_t bytes);
  /// Removes the file, unless it was put in the place of another.
  ~ReservedFile();
  ReservedFile(const ReservedFile&) = delete;
  ReservedFile& operator=(const ReservedFile&) = delete;

  /// Writes the text into the room, and puts the file in the place of `target` in one step: whoever reads that has the whole of
  /// the one or of the other. Throws std::system_error.
  void replace(const std::filesystem::path& target, std::string_view text);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace plumbline
