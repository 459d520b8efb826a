// The addon's exports. Nothing here or below is global: each environment (the process, each worker thread) has its own
// engine.
#include <napi.h>

#include "node/convert.h"
#include "node/end_with_parent.h"
#include "node/engine_handle.h"
#include "node/inspect.h"
#include "node/job_handle.h"
#include "node/read_weights.h"
#include "node/run_op.h"
#include "node/testing.h"

namespace plumbline::node {
namespace {

/// Counts up with every change that src/addon.ts must know of: an addon that is older than its caller is refused.
constexpr std::uint32_t kInterfaceVersion = 4;

Napi::Object init(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  env.SetInstanceData(new EngineHandle::Environment);  // deleted with the environment
  exports.Set("interfaceVersion", kInterfaceVersion);
  add("load", guarded<EngineHandle::load>);
  add("info", guarded<EngineHandle::info>);
  add("tokenizerMetadata", guarded<EngineHandle::tokenizer_metadata>);
  add("generate", guarded<EngineHandle::generate>);
  add("progress", guarded<EngineHandle::progress>);
  add("memoryUsed", guarded<EngineHandle::memory_used>);
  add("dispose", guarded<EngineHandle::dispose>);
  add("cancel", guarded<JobHandle::cancel>);
  add("inspect", guarded<inspect>);
  add("probeDevice", guarded<probe_device>);
  add("readWeights", guarded<read_weights>);
  add("builtBackends", guarded<built_backends>);
  add("endWithParent", guarded<end_with_parent>);

  add("sample", guarded<testing::sample>);
  add("noise", guarded<testing::noise>);
  add("logProbabilities", guarded<testing::log_probabilities>);
  add("evaluate", guarded<testing::evaluate>);
  add("cpuVariants", guarded<testing::cpu_variants>);
  add("runOp", guarded<testing::run_op>);
  return exports;
}

}  // namespace

NODE_API_MODULE(plumbline, init)

}  // namespace plumbline::node
