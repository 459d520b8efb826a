#include "backend/cuda/upload.h"

#include <algorithm>
#include <cstring>

#include "backend/cuda/check.h"

namespace plumbline::cuda {

PinnedMemory::PinnedMemory(Runtime& runtime, std::size_t bytes) : runtime_(runtime) {
  check(runtime, runtime.allocate_pinned(address_, bytes), "cudaHostAlloc");
}

PinnedMemory::~PinnedMemory() { runtime_.release_pinned(address_); }

Checksum Upload::Lane::add(std::span<const std::byte> piece, std::size_t offset, std::byte* to, Checksum* sum) {
  wait();  // until there is room
  std::memcpy(staging_.data(), piece.data(), piece.size());
  busy_ = true;
  check(stream_.runtime(),
        stream_.runtime().copy_in({to, piece.size(), staging_.data(), piece.size(), piece.size(), 1}, stream_.handle()),
        "cudaMemcpyAsync");
  add_checksum(stream_, to, piece.size(), offset, sum);
  // Meanwhile.
  return checksum({staging_.data(), piece.size()}, offset);
}

void Upload::Lane::wait() {
  if (!busy_) return;
  check(stream_.runtime(), stream_.runtime().synchronize(stream_.handle()), "cudaStreamSynchronize");
  busy_ = false;
}

/// Given up on the way: nothing may copy from memory that is gone.
Upload::Lane::~Lane() {
  if (busy_) stream_.runtime().synchronize(stream_.handle());
}

Upload::Upload(Runtime& runtime) : lanes_{Lane(runtime), Lane(runtime)} {}

void Upload::add(std::span<const std::byte> bytes, std::byte* to, Checksum* sum) {
  Checksum own = 0;
  for (std::size_t offset = 0; offset < bytes.size(); offset += kPieceBytes) {
    const auto piece = bytes.subspan(offset, std::min(kPieceBytes, bytes.size() - offset));
    own += lanes_[next_].add(piece, offset, to + offset, sum);
    next_ ^= 1;
  }
  sums_.push_back(own);
}

const std::vector<Checksum>& Upload::finish() {
  for (Lane& lane : lanes_) lane.wait();
  return sums_;
}

}  // namespace plumbline::cuda
