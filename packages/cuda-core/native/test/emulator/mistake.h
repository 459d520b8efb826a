#pragma once

#include <stdexcept>
#include <string>

#include "backend/cuda/runtime.h"
#include "backend/cuda/where.h"

namespace plumbline::emulator {

using cuda::Size3;
using cuda::Where;

enum class MistakeKind { divergent_barrier, race, out_of_bounds, uninitialised_read, misaligned };

const char* name_of(MistakeKind kind);

/// What a kernel did that a device would not forgive, or worse, would.
class Mistake : public std::runtime_error {
 public:
  Mistake(MistakeKind kind, std::string kernel, Size3 block, Size3 thread, Where where, const std::string& what,
          unsigned long long seed);

  MistakeKind kind;
  std::string kernel;
  Size3 block;
  Size3 thread;
  Where where;
};

}  // namespace plumbline::emulator
