#pragma once

#include <memory>
#include <string>

#include "backend/cuda/runtime.h"

/// Where the tests of this folder run: each is linked twice, with the emulator and, where there is an nvcc, with the CUDA runtime.
namespace plumbline::cuda {

/// Why they cannot run here; empty if they can.
std::string test_runtime_problem();
std::unique_ptr<Runtime> test_runtime();

}  // namespace plumbline::cuda

/// Skips the test by name where there is no device to run it on.
#define PLUMBLINE_NEEDS_CUDA_DEVICE()                                    \
  if (const std::string problem = plumbline::cuda::test_runtime_problem(); !problem.empty()) GTEST_SKIP() << problem
