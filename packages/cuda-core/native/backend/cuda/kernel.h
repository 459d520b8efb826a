#pragma once

/// What kernels are written with, beside CUDA's own threadIdx, blockIdx, blockDim and gridDim: typed views of memory, barriers,
/// shuffles, votes and atomics. On a device each is the bare pointer or instruction. In the emulator each is checked, and says where
/// it is written.
#ifdef PLUMBLINE_CUDA_EMULATOR
#include "test/emulator/kernel.h"
#else

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace plumbline::cuda {

/// `count` values in the device's memory; a view of nothing is false.
template <class T>
class Global {
 public:
  Global() = default;
  __host__ __device__ Global(T* data, std::size_t /*count*/) : data_(data) {}

  __device__ explicit operator bool() const { return data_ != nullptr; }
  __device__ T& operator[](std::size_t index) const { return data_[index]; }
  __device__ Global part(std::size_t first, std::size_t count) const { return {data_ + first, count}; }
  /// Four floats from `index` on, which must be a multiple of four from an aligned beginning.
  __device__ float4 load4(std::size_t index) const { return *reinterpret_cast<const float4*>(data_ + index); }
  __device__ void store4(std::size_t index, float4 value) const { *reinterpret_cast<float4*>(data_ + index) = value; }
  /// A value of another type, `offset` bytes from the beginning.
  template <class Value>
  __device__ Value load(std::size_t offset) const {
    return *reinterpret_cast<const Value*>(reinterpret_cast<const unsigned char*>(data_) + offset);
  }

 private:
  T* data_ = nullptr;
};

/// An array in the block's shared memory.
template <class T>
class Shared {
 public:
  __device__ explicit Shared(T* data) : data_(data) {}
  __device__ T& operator[](std::size_t index) const { return data_[index]; }

 private:
  T* data_;
};

/// Deals out the shared memory that the launch asked for, in order: each thread must ask for the same.
class SharedMemory {
 public:
  template <class T>
  __device__ Shared<T> take(std::size_t count) {
    extern __shared__ __align__(16) unsigned char plumbline_shared[];
    T* const data = reinterpret_cast<T*>(plumbline_shared + used_);
    used_ += (count * sizeof(T) + 15) / 16 * 16;
    return Shared<T>(data);
  }

 private:
  std::size_t used_ = 0;
};

inline constexpr unsigned kAllLanes = 0xffffffffu;

__device__ inline void sync_threads() { __syncthreads(); }
__device__ inline void sync_warp() { __syncwarp(); }
template <class T>
__device__ T shuffle_xor(T value, unsigned lanes) {
  return __shfl_xor_sync(kAllLanes, value, lanes);
}
template <class T>
__device__ T shuffle(T value, unsigned lane) {
  return __shfl_sync(kAllLanes, value, lane);
}
__device__ inline bool any_lane(bool value) { return __any_sync(kAllLanes, value) != 0; }
__device__ inline unsigned ballot(bool value) { return __ballot_sync(kAllLanes, value); }
/// Returns what was there.
template <class T>
__device__ T atomic_add(const Global<T>& values, std::size_t index, T value) {
  return atomicAdd(&values[index], value);
}

__device__ inline float f16_to_float(std::uint16_t bits) { return __half2float(__ushort_as_half(bits)); }
__device__ inline float bits_to_float(std::uint32_t bits) { return __uint_as_float(bits); }

/// Kernels are no functions of the host.
template <class... Parameters>
constexpr auto host_call() -> void (*)(const void*, void**) {
  return nullptr;
}

}  // namespace plumbline::cuda

#endif

namespace plumbline::cuda {

inline constexpr unsigned kWarpSize = 32;

/// What SharedMemory::take(count) uses up.
template <class T>
constexpr std::size_t shared_bytes_of(std::size_t count) {
  return (count * sizeof(T) + 15) / 16 * 16;
}

}  // namespace plumbline::cuda
