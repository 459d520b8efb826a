#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace plumbline::cpu {

struct Options {
  Precision precision = Precision::fast;
  unsigned threads = 0;  ///< 0: as many as the process may run on
  /// "portable", "avx2" or "avx512"; empty: what PLUMBLINE_CPU_VARIANT says, else the best that this machine can run.
  std::string variant;
};

/// Throws INVALID_OPTION for a variant that is unknown, not built in, or not supported by this machine.
std::unique_ptr<Backend> create_backend(const Options& options = {});

/// The variants that this build has and this machine can run, best last.
std::vector<std::string> supported_variants();

}  // namespace plumbline::cpu
