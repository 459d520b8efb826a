#pragma once

#include <charconv>
#include <exception>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace plumbline::bench {

/// `--name value` pairs. Only `pnpm bench` and those who look closer call these programs: what is wrong is one line.
class Arguments {
 public:
  Arguments(int count, char** values) {
    for (int i = 1; i < count; i += 2) {
      const std::string name = values[i];
      if (!name.starts_with("--") || i + 1 == count) throw std::invalid_argument(name + " must be --name value");
      values_[name.substr(2)] = values[i + 1];
    }
  }

  std::string text(const std::string& name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) throw std::invalid_argument("--" + name + " is missing");
    return found->second;
  }
  std::string text(const std::string& name, const std::string& otherwise) const {
    return values_.contains(name) ? text(name) : otherwise;
  }
  unsigned number(const std::string& name) const { return number_of(name, text(name)); }
  unsigned number(const std::string& name, unsigned otherwise) const {
    return values_.contains(name) ? number(name) : otherwise;
  }
  /// With commas between them; none for an empty text.
  std::vector<unsigned> numbers(const std::string& name) const {
    std::vector<unsigned> out;
    std::istringstream items(text(name));
    for (std::string item; std::getline(items, item, ',');) out.push_back(number_of(name, item));
    return out;
  }

 private:
  static unsigned number_of(const std::string& name, const std::string& value) {
    unsigned out = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
    if (error != std::errc() || end != value.data() + value.size()) {
      throw std::invalid_argument("--" + name + " is " + value + ", must be a whole number");
    }
    return out;
  }

  std::map<std::string, std::string> values_;
};

/// What each program's main does: run(arguments), and 2 with one line where that throws.
template <class Run>
int run_program(const char* name, int count, char** values, const Run& run) {
  try {
    run(Arguments(count, values));
    return 0;
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return 2;
  }
}

}  // namespace plumbline::bench
