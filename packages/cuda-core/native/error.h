#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace plumbline {

/// The codes of packages/protocol/src/errors.ts that native code can meet.
enum class ErrorCode {
  invalid_request,
  context_overflow,
  cancelled,
  engine_busy,
  engine_disposed,
  device_unavailable,
  cuda_error,
  insufficient_vram,
  vram_oom,
  out_of_memory,
  model_not_found,
  model_load_failed,
  invalid_gguf,
  unsupported_tensor_type,
  unsupported_architecture,
  unsupported_tokenizer,
  checksum_mismatch,
  invalid_option,
  internal,
};

/// The code as protocol spells it, for example "INVALID_GGUF".
const char* name(ErrorCode code) noexcept;

/// The facts behind a message, for logs and for programs: never a prompt, never an answer.
using ErrorField = std::variant<std::string, std::uint64_t, double>;
using ErrorFields = std::map<std::string, ErrorField>;

/// The one exception that native code throws on purpose. node/ turns it into a PlumblineError.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message, ErrorFields fields = {})
      : std::runtime_error(message), code_(code), fields_(std::move(fields)) {}

  ErrorCode code() const noexcept { return code_; }
  const ErrorFields& fields() const noexcept { return fields_; }

 private:
  ErrorCode code_;
  ErrorFields fields_;
};

/// Any exception as an Error, called inside a catch block; bad_alloc is OUT_OF_MEMORY, what is not known is INTERNAL.
Error current_exception_as_error();

}  // namespace plumbline
