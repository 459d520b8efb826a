#pragma once

#include "backend/cuda/check.h"

namespace plumbline::cuda {

/// What is enqueued runs in order. Owns a stream of the runtime, which must outlive it.
class Stream {
 public:
  explicit Stream(Runtime& runtime) : runtime_(runtime) {
    check(runtime, runtime.create_stream(handle_), "cudaStreamCreateWithFlags");
  }
  ~Stream() { runtime_.destroy_stream(handle_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  Runtime& runtime() const { return runtime_; }
  StreamHandle handle() const { return handle_; }

 private:
  Runtime& runtime_;
  StreamHandle handle_ = nullptr;
};

}  // namespace plumbline::cuda
