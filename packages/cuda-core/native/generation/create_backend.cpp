#include "backend/cpu/cpu_backend.h"
#include "generation/device.h"

namespace plumbline {

// Alone in this file, so that an addon can be linked with another one: native/test/planted.
std::unique_ptr<Backend> create_backend(const Device&, Precision precision, unsigned threads) {
  return cpu::create_backend({.precision = precision, .threads = threads, .variant = {}});
}

}  // namespace plumbline
