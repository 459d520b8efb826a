#include "gguf/refusal.h"

namespace plumbline::gguf {

std::string Field::spelled() const {
  std::string text(role);
  if (!text.empty() && !name.empty()) text += ' ';
  text += name;
  if (index) text += '[' + std::to_string(*index) + ']';
  return text;
}

void refuse(ErrorCode code, const std::string& message, const Field& field, std::uint64_t offset,
            const std::string& expected, const std::string& found) {
  throw Error(code, message + " (offset " + std::to_string(offset) + ')',
              {{"field", field.spelled()}, {"offset", offset}, {"expected", expected}, {"found", found}});
}

void throw_invalid(const Field& field, std::uint64_t offset, const std::string& expected, const std::string& found) {
  refuse(ErrorCode::invalid_gguf, "damaged GGUF file: " + field.spelled() + ": expected " + expected + ", found " + found,
         field, offset, expected, found);
}

}  // namespace plumbline::gguf
