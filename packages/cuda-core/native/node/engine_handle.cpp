#include "node/engine_handle.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "node/convert.h"
#include "node/job_handle.h"
#include "node/parameters.h"
#include "node/tagged_handle.h"
#include "node/tokenizer_metadata.h"

namespace plumbline::node {
/// Loads on the pool; the promise is settled on the JavaScript thread.
class EngineHandle::LoadWorker final : public Napi::AsyncWorker {
 public:
  LoadWorker(Napi::Env env, std::shared_ptr<EngineHandle> handle, EngineOptions options)
      : AsyncWorker(env), deferred_(env), handle_(std::move(handle)), options_(std::move(options)) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    try {
      engine_ = std::make_unique<Engine>(options_, [this](double fraction, LoadStage stage) {
        handle_->load_stage_ = stage;
        handle_->load_fraction_ = fraction;
        handle_->signal();
      }, [this](std::shared_ptr<const gguf::File> file) {
        handle_->file_ = std::move(file);
        handle_->file_opened_.store(true, std::memory_order_release);
        handle_->signal();
      });
    } catch (...) {
      error_ = current_exception_as_error();
      SetError(error_->what());
    }
  }

  void OnOK() override {
    handle_->engine_ = std::move(engine_);
    handle_->drain_tokenizer(Env());
    handle_->drain_load_progress(Env());
    handle_->on_progress_.Reset();
    napi_add_env_cleanup_hook(Env(), &shut_down_with_environment, handle_.get());
    handle_->hooked_ = true;
    handle_->signal_.Unref(Env());
    deferred_.Resolve(TaggedHandle<EngineHandle>::wrap(Env(), handle_));
  }

  void OnError(const Napi::Error&) override {
    handle_->shut_down();
    deferred_.Reject(to_js(Env(), *error_).Value());
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<EngineHandle> handle_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
  std::optional<Error> error_;
};

/// Waits on the pool for the generator's thread, and gives the weights back there.
class EngineHandle::DisposeWorker final : public Napi::AsyncWorker {
 public:
  DisposeWorker(Napi::Env env, const Napi::Object& object, std::shared_ptr<EngineHandle> handle)
      : AsyncWorker(env),
        deferred_(env),
        object_(Napi::Persistent(object)),
        handle_(std::move(handle)),
        engine_(std::move(handle_->engine_)) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { engine_.reset(); }

  void OnOK() override {
    // The job that was cut off has its result by now, and its sink is told before dispose() is done.
    handle_->drain_job(Env());
    handle_->shut_down();
    deferred_.Resolve(Env().Undefined());
  }

 private:
  Napi::Promise::Deferred deferred_;
  /// Keeps the handle from being collected, and the signal closed, while the generator's thread may still use it.
  Napi::ObjectReference object_;
  std::shared_ptr<EngineHandle> handle_;
  std::unique_ptr<Engine> engine_;
};

Napi::Value EngineHandle::load(const Napi::CallbackInfo& info) {
  const EngineOptions options = engine_options(Fields(info[0], "options"));
  auto& environment = *info.Env().GetInstanceData<Environment>();
  if (const auto other = environment.engine.lock(); other && other->open_) {
    throw Error(ErrorCode::engine_busy, "an engine is already loaded or loading in this thread: dispose of it first");
  }
  const auto handle = std::make_shared<EngineHandle>(info.Env());
  environment.engine = handle;
  handle->on_progress_ = Napi::Persistent(info[1].As<Napi::Function>());
  handle->on_tokenizer_ = Napi::Persistent(info[2].As<Napi::Function>());
  handle->open(info.Env());
  auto* const worker = new LoadWorker(info.Env(), handle, options);  // deletes itself when it is done
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

std::shared_ptr<EngineHandle> EngineHandle::alive(const Napi::CallbackInfo& info) {
  auto handle = TaggedHandle<EngineHandle>::unwrap(info[0]);
  if (!handle->engine_) throw Error(ErrorCode::engine_disposed, "this engine has been disposed of");
  return handle;
}

Napi::Value EngineHandle::info(const Napi::CallbackInfo& info) {
  const auto handle = alive(info);
  Engine& engine = *handle->engine_;
  const gguf::File& file = engine.model().file();
  const Hyperparameters& hyperparameters = engine.model().hyperparameters();
  const Backend& backend = engine.model().backend();
  const ModelSummary summary = summarise(file);
  const MemoryUse memory = engine.memory_use();

  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("architecture", std::string(hyperparameters.traits->name));
  if (const auto general_name = file.metadata().text("general.name")) object.Set("name", std::string(*general_name));
  object.Set("quantKind", std::string(summary.quant_kind));
  object.Set("parameters", static_cast<double>(summary.parameters));
  object.Set("vocabSize", hyperparameters.vocab_size);
  object.Set("contextLength", engine.context_length());
  object.Set("trainedContextLength", hyperparameters.trained_context_length);
  object.Set("embeddingLength", hyperparameters.embedding_length);
  object.Set("layers", hyperparameters.layers);
  object.Set("device", engine.device().name);
  object.Set("backend", backend.name());
  object.Set("threads", backend.threads());
  object.Set("precision", backend.precision() == Precision::exact ? "exact" : "fast");
  const bool quantises = std::ranges::any_of(
      file.tensors(), [&](const gguf::TensorInfo& tensor) { return backend.activation_type(tensor.type) != "F32"; });
  object.Set("activations", quantises ? "Q8" : "F32");
  if (!engine.device().fallback_reason.empty()) object.Set("fallbackReason", engine.device().fallback_reason);
  Napi::Array backends = Napi::Array::New(info.Env());
  for (const std::string& built : built_backends()) backends.Set(backends.Length(), built);
  object.Set("builtBackends", backends);
  object.Set("memoryBytes", static_cast<double>(memory.weights + memory.kv_cache + memory.workspace));
  object.Set("fileBytes", static_cast<double>(file.size()));
  return object;
}

Napi::Value EngineHandle::tokenizer_metadata(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), read_tokenizer_metadata(alive(info)->engine_->model().file().metadata()));
}

Napi::Value EngineHandle::generate(const Napi::CallbackInfo& info) {
  const auto handle = alive(info);
  // Until its sink has heard of its end, a job counts as running.
  if (handle->active_) throw Error(ErrorCode::engine_busy, "a generation is already running; one runs at a time");
  auto active = std::make_shared<ActiveJob>();
  active->on_tokens = Napi::Persistent(info[2].As<Napi::Function>());
  active->on_done = Napi::Persistent(info[3].As<Napi::Function>());
  active->handle = Napi::Persistent(info[0].As<Napi::Object>());
  // The generator's thread is joined before the handle goes.
  active->job = handle->engine_->generator().start(generation_request(Fields(info[1], "job")),
                                                   [&target = *handle] { target.signal(); });
  handle->active_ = active;
  handle->signal_.Ref(info.Env());
  return TaggedHandle<JobHandle>::wrap(info.Env(), std::make_shared<JobHandle>(active->job));
}

Napi::Value EngineHandle::progress(const Napi::CallbackInfo& info) {
  const auto handle = alive(info);
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("counter", static_cast<double>(handle->engine_->generator().progress()));
  object.Set("activeJob", handle->active_ != nullptr);
  return object;
}

Napi::Value EngineHandle::memory_used(const Napi::CallbackInfo& info) {
  const MemoryUse memory = alive(info)->engine_->memory_use();
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("weights", static_cast<double>(memory.weights));
  object.Set("kvCache", static_cast<double>(memory.kv_cache));
  object.Set("workspace", static_cast<double>(memory.workspace));
  return object;
}

Napi::Value EngineHandle::dispose(const Napi::CallbackInfo& info) {
  const auto handle = alive(info);
  if (handle->active_) handle->active_->job->abandon();
  auto* const worker = new DisposeWorker(info.Env(), info[0].As<Napi::Object>(), handle);  // deletes itself when it is done
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

void EngineHandle::open(Napi::Env env) {
  signal_ = Signal::New(env, "plumbline", 0, 1, this,
                        [keep = shared_from_this()](Napi::Env, void*, EngineHandle*) mutable { keep.reset(); });
  open_ = true;
}

void EngineHandle::signal() noexcept {
  if (!signalled_.exchange(true)) signal_.NonBlockingCall();
}

void EngineHandle::drain(Napi::Env env, Napi::Function, EngineHandle* handle, void*) {
  // Without an environment the function is being closed, and nobody is left to be told.
  if (env != nullptr) handle->drain(env);
}

void EngineHandle::drain(Napi::Env env) {
  // First, so that what comes from here on is signalled anew.
  signalled_ = false;
  drain_tokenizer(env);
  drain_load_progress(env);
  drain_job(env);
}

void EngineHandle::drain_tokenizer(Napi::Env env) {
  if (on_tokenizer_.IsEmpty() || !file_opened_.load(std::memory_order_acquire)) return;
  const Napi::FunctionReference on_tokenizer = std::move(on_tokenizer_);
  const std::shared_ptr<const gguf::File> file = std::move(file_);
  try {
    on_tokenizer.Call({to_js(env, read_tokenizer_metadata(file->metadata()))});
  } catch (...) {
    // What is wrong with the tokenizer is said by the engine, once there is one, to whoever asks it.
  }
}

void EngineHandle::drain_load_progress(Napi::Env env) {
  if (on_progress_.IsEmpty()) return;
  const double fraction = load_fraction_;
  if (fraction <= load_fraction_seen_) return;
  load_fraction_seen_ = fraction;
  on_progress_.Call({Napi::Number::New(env, fraction), Napi::String::New(env, name(load_stage_))});
}

void EngineHandle::drain_job(Napi::Env env) {
  const auto active = active_;
  if (!active) return;
  const GenerationResult* const result = active->job->result();
  // None of the three functions throws (src/engine.ts), except where the environment shuts down and nothing matters.
  if (const auto records = active->job->take_tokens(); !records.empty()) {
    Napi::Array batch = Napi::Array::New(env, records.size());
    for (std::uint32_t index = 0; index < records.size(); ++index) batch.Set(index, to_js(env, records[index]));
    active->on_tokens.Call({batch});
  }
  if (result == nullptr || active_ != active) return;
  active_.reset();
  if (open_) signal_.Unref(env);
  active->on_done.Call({to_js(env, *result)});
}

void EngineHandle::shut_down() noexcept {
  engine_.reset();
  active_.reset();
  on_progress_.Reset();
  on_tokenizer_.Reset();
  file_.reset();
  if (std::exchange(hooked_, false)) napi_remove_env_cleanup_hook(env_, &shut_down_with_environment, this);
  // Last: its finalizer may hold the last reference to this object.
  if (std::exchange(open_, false)) signal_.Release();
}

}  // namespace plumbline::node
