#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "backend/cuda/checksum.h"
#include "backend/cuda/stream.h"

namespace plumbline::cuda {

/// The host's memory that a device copies from and to by itself.
class PinnedMemory {
 public:
  PinnedMemory(Runtime& runtime, std::size_t bytes);
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;

  std::byte* data() const { return static_cast<std::byte*>(address_); }

 private:
  Runtime& runtime_;
  void* address_ = nullptr;
};

/// Brings tensors to a device, from a file's map by way of two pieces of pinned memory, each with a stream of its own: while the device
/// takes one, the host fills the other. Both sides sum up what they see.
class Upload {
 public:
  explicit Upload(Runtime& runtime);

  /// `sum`: of what arrives, on the device, zero until now. Both must stay until `finish` is done; `bytes` need not.
  void add(std::span<const std::byte> bytes, std::byte* to, Checksum* sum);
  /// Waits until everything has arrived. What the host has summed up, tensor by tensor.
  const std::vector<Checksum>& finish();

 private:
  /// What one of the two streams holds at a time.
  static constexpr std::size_t kPieceBytes = std::size_t{4} << 20;

  class Lane {
   public:
    explicit Lane(Runtime& runtime) : stream_(runtime), staging_(runtime, kPieceBytes) {}
    ~Lane();
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    /// `offset`: of the piece in its tensor.
    Checksum add(std::span<const std::byte> piece, std::size_t offset, std::byte* to, Checksum* sum);
    void wait();

   private:
    Stream stream_;
    PinnedMemory staging_;
    bool busy_ = false;
  };

  Lane lanes_[2];
  unsigned next_ = 0;
  std::vector<Checksum> sums_;
};

}  // namespace plumbline::cuda
