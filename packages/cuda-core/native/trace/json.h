#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace plumbline::json {

/// Appends the shortest text that reads back as the same float32 (or float64); what is not finite as "NaN", "Infinity" or
/// "-Infinity", in quotes.
void append(std::string& out, float value);
void append(std::string& out, double value);
void append(std::string& out, std::uint64_t value);

/// Appends it in quotes, escaped.
void append(std::string& out, std::string_view text);

}  // namespace plumbline::json
