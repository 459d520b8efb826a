#include "generation/engine.h"

#include <algorithm>
#include <array>
#include <map>

namespace plumbline {
namespace {

/// The most positions that are allocated unasked: a model trained for 128 Ki of them would want gigabytes.
constexpr std::uint32_t kDefaultContextLength = 4096;

MemoryNeed need_of(const gguf::File& file, const Hyperparameters& hyperparameters, const Backend& backend,
                   std::uint32_t context_length) {
  const std::uint32_t rows = std::min(context_length, kDefaultPrefillChunk);
  return {.weights = summarise(file).tensor_bytes,
          .kv_cache = KvCache::bytes_of(backend, hyperparameters, context_length),
          .workspace = Workspace::bytes_of(hyperparameters, rows, 1),
          .context_length = context_length};
}

/// Where each stage of a load ends, of 1; most of the time goes into the weights.
constexpr double kReadingEnds = 0.05;
constexpr double kWeightsEnd = 0.95;

}  // namespace

ModelSummary summarise(const gguf::File& file) {
  ModelSummary summary;
  std::map<gguf::Type, std::uint64_t> values;
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    values[tensor.type] += tensor.elements();
    summary.parameters += tensor.elements();
    summary.tensor_bytes += tensor.bytes;
  }
  const auto most = std::ranges::max_element(values, {}, [](const auto& entry) { return entry.second; });
  summary.quant_kind = most == values.end() ? "none" : gguf::info(most->first).name;
  return summary;
}

Engine::Engine(const EngineOptions& options, const OnProgress& on_progress, const OnOpened& on_opened)
    : device_(choose_device(options.device)) {
  on_progress(0, LoadStage::reading);
  auto file = std::make_shared<const gguf::File>(gguf::File::open(options.model_path));
  if (on_opened) on_opened(file);

  // What cannot be run is refused before anything is uploaded.
  const Hyperparameters hyperparameters = read_hyperparameters(*file);
  const std::uint32_t context_length = checked_context_length(
      hyperparameters, options.context_length != 0
                           ? options.context_length
                           : std::min(hyperparameters.trained_context_length, kDefaultContextLength));
  auto backend = create_backend(device_, options.precision, options.threads);
  backend->require_memory(need_of(*file, hyperparameters, *backend, context_length));

  on_progress(kReadingEnds, LoadStage::weights);
  model_ = Model::load(std::move(file), std::move(backend), [&](double fraction) {
    on_progress(kReadingEnds + (kWeightsEnd - kReadingEnds) * fraction, LoadStage::weights);
  });
  session_ = std::make_unique<Session>(*model_, context_length);

  // The first token is to be as quick as the others: this touches every weight and makes the buffers.
  on_progress(kWeightsEnd, LoadStage::warming_up);
  const std::array<std::uint32_t, 1> any_token = {0};
  session_->forward(any_token);
  session_->truncate(0);

  memory_use_ = {model_->weights().bytes, session_->kv_cache_bytes(), session_->workspace_bytes()};
  evaluator_ = std::make_unique<SessionEvaluator>(*session_, hyperparameters.vocab_size);
  generator_ = std::make_unique<Generator>(*evaluator_);
  on_progress(1, LoadStage::warming_up);
}

MemoryUse Engine::memory_use() {
  if (!generator_->busy()) memory_use_.workspace = session_->workspace_bytes();
  return memory_use_;
}

}  // namespace plumbline
