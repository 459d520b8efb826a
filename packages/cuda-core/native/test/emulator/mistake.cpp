#include "test/emulator/mistake.h"

#include <utility>

namespace plumbline::emulator {
namespace {

std::string text_of(Size3 index) {
  return std::string("(") + std::to_string(index.x) + ", " + std::to_string(index.y) + ", " + std::to_string(index.z) + ")";
}

}  // namespace

const char* name_of(MistakeKind kind) {
  switch (kind) {
    case MistakeKind::divergent_barrier: return "divergent barrier";
    case MistakeKind::race: return "race";
    case MistakeKind::out_of_bounds: return "out of bounds";
    case MistakeKind::uninitialised_read: return "uninitialised read";
    case MistakeKind::misaligned: return "misaligned";
  }
  return "?";
}

Mistake::Mistake(MistakeKind kind_of, std::string in_kernel, Size3 at_block, Size3 at_thread, Where at,
                 const std::string& what, unsigned long long seed)
    : std::runtime_error(std::string(at.file) + ":" + std::to_string(at.line) + ": " + name_of(kind_of) +
                         " in kernel " + in_kernel + ", block " + text_of(at_block) + ", thread " + text_of(at_thread) +
                         ": " + what + " (PLUMBLINE_EMULATOR_SEED=" + std::to_string(seed) + ")"),
      kind(kind_of),
      kernel(std::move(in_kernel)),
      block(at_block),
      thread(at_thread),
      where(at) {}

}  // namespace plumbline::emulator
