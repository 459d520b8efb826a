#include "trace/json.h"

#include <charconv>
#include <cmath>

namespace plumbline::json {
namespace {

template <class Number>
void append_number(std::string& out, Number value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  out.append(text, end);
}

template <class Number>
void append_real(std::string& out, Number value) {
  if (std::isfinite(value)) return append_number(out, value);
  out += std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
}

}  // namespace

void append(std::string& out, float value) { append_real(out, value); }
void append(std::string& out, double value) { append_real(out, value); }
void append(std::string& out, std::uint64_t value) { append_number(out, value); }

void append(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += "0123456789abcdef"[byte >> 4];
      out += "0123456789abcdef"[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace plumbline::json
