#pragma once

namespace plumbline::cuda {

/// A place in the source: taken as a default argument, it is where the function was called. std::source_location would do, but
/// clang 14 lacks it.
struct Where {
  const char* file = "";
  unsigned line = 0;

  static constexpr Where here(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
    return {file, line};
  }
};

}  // namespace plumbline::cuda
