#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <span>

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

}  // namespace plumbline
