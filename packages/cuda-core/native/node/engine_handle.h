#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include <napi.h>

#include "generation/engine.h"

namespace plumbline::node {

/// One engine as its JavaScript environment sees it; there is one at a time in each. Lives on the JavaScript thread; only `signal` is called from others.
///
/// Whatever happens elsewhere (load progress, tokens, the end of a job) is signalled through one thread-safe function,
/// at most once until it has been seen, and then everything that is there is drained at once.
///
/// How it ends: dispose() waits for the generator's thread on the pool. An environment that shuts down (a worker thread
/// that ends, the end of the process) waits for it in a cleanup hook; hooks run last in, first out, and this one is added
/// after the thread-safe function's own, so nothing signals a closed function.
class EngineHandle : public std::enable_shared_from_this<EngineHandle> {
 public:
  static constexpr napi_type_tag kTypeTag = {0x706c756d626c696eu, 0x65656e67696e6501u};
  static constexpr const char* kHandleName = "an engine handle";

  /// What an environment remembers: its one engine.
  struct Environment {
    std::weak_ptr<EngineHandle> engine;
  };

  // What JavaScript calls.
  static Napi::Value load(const Napi::CallbackInfo& info);
  static Napi::Value info(const Napi::CallbackInfo& info);
  static Napi::Value tokenizer_metadata(const Napi::CallbackInfo& info);
  static Napi::Value generate(const Napi::CallbackInfo& info);
  static Napi::Value progress(const Napi::CallbackInfo& info);
  static Napi::Value memory_used(const Napi::CallbackInfo& info);
  static Napi::Value dispose(const Napi::CallbackInfo& info);

  /// Nobody can use the engine any more, nor dispose of it. No job runs: one would keep the handle.
  void collected() noexcept { shut_down(); }

  explicit EngineHandle(Napi::Env env) : env_(env) {}
  ~EngineHandle() { shut_down(); }
  EngineHandle(const EngineHandle&) = delete;
  EngineHandle& operator=(const EngineHandle&) = delete;

 private:
  class LoadWorker;
  class DisposeWorker;

  struct ActiveJob {
    std::shared_ptr<Job> job;
    Napi::FunctionReference on_tokens;
    Napi::FunctionReference on_done;
    /// Keeps the handle from being collected while its job runs.
    Napi::ObjectReference handle;
  };

  static void drain(Napi::Env env, Napi::Function, EngineHandle* handle, void*);
  using Signal = Napi::TypedThreadSafeFunction<EngineHandle, void, drain>;

  static std::shared_ptr<EngineHandle> alive(const Napi::CallbackInfo& info);

  /// Makes the thread-safe function, whose finalizer keeps this object until nothing can call it any more.
  void open(Napi::Env env);
  /// From any thread.
  void signal() noexcept;
  void drain(Napi::Env env);
  void drain_load_progress(Napi::Env env);
  void drain_tokenizer(Napi::Env env);
  void drain_job(Napi::Env env);
  void shut_down() noexcept;
  static void shut_down_with_environment(void* handle) noexcept { static_cast<EngineHandle*>(handle)->shut_down(); }

  Napi::Env env_;
  Signal signal_;
  std::atomic<bool> signalled_ = false;
  /// From the begin of the load until everything is given back.
  bool open_ = false;
  bool hooked_ = false;

  Napi::FunctionReference on_progress_;
  std::atomic<double> load_fraction_ = 0;
  std::atomic<LoadStage> load_stage_ = LoadStage::reading;
  double load_fraction_seen_ = -1;
  /// Called once, while the weights are being loaded.
  Napi::FunctionReference on_tokenizer_;
  /// Of the load under way, until `on_tokenizer_` has been called; by the thread that sets `file_opened_` before it.
  std::shared_ptr<const gguf::File> file_;
  std::atomic<bool> file_opened_ = false;

  std::unique_ptr<Engine> engine_;
  std::shared_ptr<ActiveJob> active_;
};

}  // namespace plumbline::node
