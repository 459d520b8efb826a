#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/cuda/stream.h"

/// A 64-bit sum over bytes that host and device make alike: each eight bytes are scrambled together with where they lie, and all are
/// added up, so that the order does not matter and parts can be summed apart. It is there to find what went astray on its way to the
/// device, not to withstand anybody.
namespace plumbline::cuda {

using Checksum = std::uint64_t;

/// Of bytes that are the part from `offset` on, a multiple of eight, of what is summed. What is missing of the last eight counts as zero.
Checksum checksum(std::span<const std::byte> bytes, std::size_t offset);

/// The same of `count` bytes on the device, aligned to eight, added to *sum there.
void add_checksum(const Stream& stream, const std::byte* bytes, std::size_t count, std::size_t offset, Checksum* sum);

}  // namespace plumbline::cuda
