#pragma once

#include "backend/cuda/kernel.h"

namespace plumbline::cuda {

struct Sum {
  template <class T>
  __device__ static T combine(T a, T b) {
    return a + b;
  }
};

struct Largest {
  __device__ static float combine(float a, float b) { return fmaxf(a, b); }
};

/// Of a warp's values, the same in every lane: a tree, so that the order does not depend on anything.
template <class Operation, class T>
__device__ T reduce_warp(T value) {
  for (unsigned apart = kWarpSize / 2; apart > 0; apart /= 2) {
    value = Operation::combine(value, shuffle_xor(value, apart));
  }
  return value;
}

/// Of a block's values, the same in every thread: warp by warp, in order. `scratch` holds a value a warp; the block must be whole warps.
template <class Operation, class T>
__device__ T reduce_block(T value, const Shared<T>& scratch) {
  const T of_warp = reduce_warp<Operation>(value);
  if (threadIdx.x % kWarpSize == 0) scratch[threadIdx.x / kWarpSize] = of_warp;
  sync_threads();
  T out = scratch[0];
  for (unsigned warp = 1; warp < blockDim.x / kWarpSize; ++warp) {
    const T next = scratch[warp];
    out = Operation::combine(out, next);
  }
  // The scratch may be used again at once.
  sync_threads();
  return out;
}

}  // namespace plumbline::cuda
