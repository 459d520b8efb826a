#pragma once

#include <memory>

#include "backend/cpu/cpu_backend.h"
#include "generation/device.h"
#include "node/convert.h"

namespace plumbline::node::testing {

/// The backend that a call for tests names: `device` ("cpu" unless given), or `variant` of the CPU's kernels.
inline std::unique_ptr<Backend> backend_of(const Fields& fields, Precision precision, unsigned threads) {
  const Device device = choose_device(fields.text_or("device", "cpu"));
  if (device.name != "cpu") return create_backend(device, precision, threads);
  return cpu::create_backend({.precision = precision, .threads = threads, .variant = fields.text_or("variant", "")});
}

}  // namespace plumbline::node::testing
