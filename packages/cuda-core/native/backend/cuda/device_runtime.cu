#include "backend/cuda/device_runtime.h"

#include <cuda_runtime.h>

#include "backend/cuda/check.h"

namespace plumbline::cuda {
namespace {

static_assert(static_cast<int>(Status::success) == cudaSuccess);
static_assert(static_cast<int>(Status::invalid_value) == cudaErrorInvalidValue);
static_assert(static_cast<int>(Status::out_of_memory) == cudaErrorMemoryAllocation);
static_assert(static_cast<int>(Status::invalid_configuration) == cudaErrorInvalidConfiguration);
static_assert(static_cast<int>(Status::insufficient_driver) == cudaErrorInsufficientDriver);
static_assert(static_cast<int>(Status::devices_unavailable) == cudaErrorDevicesUnavailable);
static_assert(static_cast<int>(Status::no_device) == cudaErrorNoDevice);
static_assert(static_cast<int>(Status::illegal_address) == cudaErrorIllegalAddress);
static_assert(static_cast<int>(Status::launch_failure) == cudaErrorLaunchFailure);

/// An error that is not sticky is forgotten here, so that no later call is blamed for it.
Status seen(cudaError_t status) {
  if (status != cudaSuccess) cudaGetLastError();
  return static_cast<Status>(status);
}

cudaStream_t stream_of(StreamHandle handle) { return static_cast<cudaStream_t>(handle); }

dim3 dim3_of(Size3 size) { return {size.x, size.y, size.z}; }

class DeviceRuntime final : public Runtime {
 public:
  explicit DeviceRuntime(int index) : device_("GPU " + std::to_string(index)) {
    check(*this, seen(cudaSetDevice(index)), "cudaSetDevice");
    cudaDeviceProp properties{};
    check(*this, seen(cudaGetDeviceProperties(&properties, index)), "cudaGetDeviceProperties");
    device_ = properties.name;
  }

  std::string device() const override { return device_; }

  std::string describe(Status status) const override { return description_of(status); }

  Status memory_info(std::size_t& free_bytes, std::size_t& total_bytes) override {
    return seen(cudaMemGetInfo(&free_bytes, &total_bytes));
  }
  Status allocate(void*& address, std::size_t bytes) override { return seen(cudaMalloc(&address, bytes)); }
  Status release(void* address) override { return seen(cudaFree(address)); }

  Status allocate_pinned(void*& address, std::size_t bytes) override {
    return seen(cudaHostAlloc(&address, bytes, cudaHostAllocDefault));
  }
  Status release_pinned(void* address) override { return seen(cudaFreeHost(address)); }

  Status create_stream(StreamHandle& stream) override {
    cudaStream_t created = nullptr;
    const Status status = seen(cudaStreamCreateWithFlags(&created, cudaStreamNonBlocking));
    stream = created;
    return status;
  }
  Status destroy_stream(StreamHandle stream) override { return seen(cudaStreamDestroy(stream_of(stream))); }
  Status synchronize(StreamHandle stream) override { return seen(cudaStreamSynchronize(stream_of(stream))); }

  Status zero(void* address, std::size_t bytes, StreamHandle stream) override {
    return seen(cudaMemsetAsync(address, 0, bytes, stream_of(stream)));
  }
  Status copy_in(const Copy& copy, StreamHandle stream) override { return move(copy, cudaMemcpyHostToDevice, stream); }
  Status copy_out(const Copy& copy, StreamHandle stream) override { return move(copy, cudaMemcpyDeviceToHost, stream); }

  Status launch(const Launch& launch, StreamHandle stream) override {
    return seen(cudaLaunchKernel(launch.function, dim3_of(launch.grid), dim3_of(launch.block), launch.arguments,
                                 launch.shared_bytes, stream_of(stream)));
  }

 private:
  /// A single row may be longer than any pitch that the two-dimensional copy takes.
  static Status move(const Copy& copy, cudaMemcpyKind kind, StreamHandle stream) {
    if (copy.rows == 1) return seen(cudaMemcpyAsync(copy.to, copy.from, copy.row_bytes, kind, stream_of(stream)));
    return seen(cudaMemcpy2DAsync(copy.to, copy.to_pitch, copy.from, copy.from_pitch, copy.row_bytes, copy.rows, kind,
                                  stream_of(stream)));
  }

  std::string device_;
};

}  // namespace

std::string description_of(Status status) {
  const auto error = static_cast<cudaError_t>(status);
  return std::string(cudaGetErrorName(error)) + " (" + cudaGetErrorString(error) + ")";
}

std::unique_ptr<Runtime> device_runtime(int index) { return std::make_unique<DeviceRuntime>(index); }

}  // namespace plumbline::cuda
