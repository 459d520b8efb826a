#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/runtime.h"

namespace plumbline::cuda {

/// What a FaultyRuntime does and what it has seen, shared with whoever made it, who outlives it.
struct Faults {
  /// Which of the calls fails, counted from 0, and how; all that follow too if the error is sticky.
  std::optional<std::size_t> at = {};
  Status status = Status::launch_failure;
  bool sticky = false;
  /// Counts only these, of launches those of a kernel too ("launch linear"); all of them if it is empty.
  std::string call = {};

  std::size_t calls = 0;
  std::size_t allocations_alive = 0;
  std::size_t pinned_alive = 0;
  std::size_t streams_alive = 0;
  /// One bit of what this copy to the device brings is wrong; counted from 0, copies of whole rows alone.
  std::optional<std::size_t> damaged_copy = {};
  std::size_t copies = 0;
};

/// Another runtime, one of whose calls fails.
class FaultyRuntime final : public Runtime {
 public:
  FaultyRuntime(std::unique_ptr<Runtime> runtime, Faults& faults) : runtime_(std::move(runtime)), faults_(faults) {}

  std::string device() const override { return runtime_->device(); }
  std::string describe(Status status) const override { return runtime_->describe(status); }

  Status memory_info(std::size_t& free_bytes, std::size_t& total_bytes) override {
    return unless_faulty("memory_info", [&] { return runtime_->memory_info(free_bytes, total_bytes); });
  }
  Status allocate(void*& address, std::size_t bytes) override {
    const Status status = unless_faulty("allocate", [&] { return runtime_->allocate(address, bytes); });
    if (status == Status::success) ++faults_.allocations_alive;
    return status;
  }
  // What is given back is given back, whatever the runtime says.
  Status release(void* address) override {
    --faults_.allocations_alive;
    return runtime_->release(address);
  }
  Status allocate_pinned(void*& address, std::size_t bytes) override {
    const Status status = unless_faulty("allocate_pinned", [&] { return runtime_->allocate_pinned(address, bytes); });
    if (status == Status::success) ++faults_.pinned_alive;
    return status;
  }
  Status release_pinned(void* address) override {
    --faults_.pinned_alive;
    return runtime_->release_pinned(address);
  }
  Status create_stream(StreamHandle& stream) override {
    const Status status = unless_faulty("create_stream", [&] { return runtime_->create_stream(stream); });
    if (status == Status::success) ++faults_.streams_alive;
    return status;
  }
  Status destroy_stream(StreamHandle stream) override {
    --faults_.streams_alive;
    return runtime_->destroy_stream(stream);
  }
  Status synchronize(StreamHandle stream) override {
    return unless_faulty("synchronize", [&] { return runtime_->synchronize(stream); });
  }
  Status zero(void* address, std::size_t bytes, StreamHandle stream) override {
    return unless_faulty("zero", [&] { return runtime_->zero(address, bytes, stream); });
  }
  Status copy_in(const Copy& copy, StreamHandle stream) override {
    if (copy.rows == 1 && faults_.copies++ == faults_.damaged_copy) {
      std::vector<std::byte> damaged(copy.row_bytes);
      std::memcpy(damaged.data(), copy.from, copy.row_bytes);
      damaged[copy.row_bytes / 2] ^= std::byte{4};
      Copy wrong = copy;
      wrong.from = damaged.data();
      const Status status = runtime_->copy_in(wrong, stream);
      // The device has them before they are gone.
      return status == Status::success ? runtime_->synchronize(stream) : status;
    }
    return unless_faulty("copy_in", [&] { return runtime_->copy_in(copy, stream); });
  }
  Status copy_out(const Copy& copy, StreamHandle stream) override {
    return unless_faulty("copy_out", [&] { return runtime_->copy_out(copy, stream); });
  }
  Status launch(const Launch& launch, StreamHandle stream) override {
    const std::string name = faults_.call == "launch" ? "launch" : std::string("launch ") + launch.kernel;
    return unless_faulty(name, [&] { return runtime_->launch(launch, stream); });
  }

 private:
  template <class Call>
  Status unless_faulty(const std::string& name, const Call& call) {
    if (!faults_.call.empty() && faults_.call != name) return call();
    const std::size_t number = faults_.calls++;
    if (faults_.at && (number == *faults_.at || (faults_.sticky && number > *faults_.at))) return faults_.status;
    return call();
  }

  std::unique_ptr<Runtime> runtime_;
  Faults& faults_;
};

}  // namespace plumbline::cuda
