#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "error.h"

namespace plumbline::gguf {

/// A part of the file's structure, for the error that reading or using it may end in. Spelled out only then.
struct Field {
  /// What comes before the name, for example "shape of".
  std::string_view role;
  std::string_view name = {};
  /// Of an array's element.
  std::optional<std::uint64_t> index = {};

  std::string spelled() const;
};

/// An error about a file, with the four facts that every one of them has: `field`, `offset` (from the start of the file; of
/// what is missing: where the list ends that lacks it), `expected` and `found`. The message gets the offset added.
[[noreturn]] void refuse(ErrorCode code, const std::string& message, const Field& field, std::uint64_t offset,
                         const std::string& expected, const std::string& found);

/// INVALID_GGUF, with a message made of the four facts.
[[noreturn]] void throw_invalid(const Field& field, std::uint64_t offset, const std::string& expected,
                                const std::string& found);

}  // namespace plumbline::gguf
