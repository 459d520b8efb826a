#pragma once

#include <atomic>
#include <cstdint>

#include "generation/evaluator.h"
#include "generation/job.h"

namespace plumbline {

/// Runs one job from its prompt to its result, on the calling thread: prefill in chunks, then sample, emit, decode.
/// Whatever is thrown on the way becomes the result's error.
GenerationResult run_job(Job& job, Evaluator& evaluator, std::atomic<std::uint64_t>& progress) noexcept;

}  // namespace plumbline
