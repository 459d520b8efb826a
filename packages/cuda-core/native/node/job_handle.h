#pragma once

#include <napi.h>

#include "generation/job.h"
#include "node/tagged_handle.h"

namespace plumbline::node {

/// A job as JavaScript sees it: something to cancel.
struct JobHandle {
  static constexpr napi_type_tag kTypeTag = {0x706c756d626c696eu, 0x656a6f6200000001u};
  static constexpr const char* kHandleName = "a job handle";

  static Napi::Value cancel(const Napi::CallbackInfo& info) {
    TaggedHandle<JobHandle>::unwrap(info[0])->job->cancel();
    return info.Env().Undefined();
  }

  /// The job goes on without it.
  void collected() noexcept {}

  std::shared_ptr<Job> job;
};

}  // namespace plumbline::node
