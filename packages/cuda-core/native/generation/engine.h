#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "generation/device.h"
#include "generation/evaluator.h"
#include "generation/generator.h"
#include "model/model.h"
#include "model/session.h"

namespace plumbline {

enum class LoadStage { reading, weights, warming_up };

struct EngineOptions {
  std::filesystem::path model_path;
  std::string device = "auto";
  Precision precision = Precision::fast;
  /// 0: as many as the process may run on.
  unsigned threads = 0;
  /// 0: what the model was trained with, but at most 4096.
  std::uint32_t context_length = 0;
};

struct MemoryUse {
  std::uint64_t weights = 0;
  std::uint64_t kv_cache = 0;
  std::uint64_t workspace = 0;
};

/// What a file says about itself, whether or not it can be run.
struct ModelSummary {
  /// The type that most values have.
  std::string_view quant_kind;
  std::uint64_t parameters = 0;
  std::uint64_t tensor_bytes = 0;
};
ModelSummary summarise(const gguf::File& file);

/// A loaded model with its one sequence and its one thread. All calls come from one thread.
class Engine {
 public:
  /// From 0 to 1 over all stages.
  using OnProgress = std::function<void(double fraction, LoadStage stage)>;
  /// The file has been read but for its weights.
  using OnOpened = std::function<void(std::shared_ptr<const gguf::File> file)>;

  /// Throws what File::open, choose_device, Model::load and Session throw.
  Engine(const EngineOptions& options, const OnProgress& on_progress, const OnOpened& on_opened = {});

  const Model& model() const { return *model_; }
  const Device& device() const { return device_; }
  std::uint32_t context_length() const { return session_->context_length(); }
  Generator& generator() { return *generator_; }
  /// While a job runs: as it was before it.
  MemoryUse memory_use();

 private:
  Device device_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<SessionEvaluator> evaluator_;
  MemoryUse memory_use_;
  // The last member: it is destroyed first, and its thread uses the others.
  std::unique_ptr<Generator> generator_;
};

}  // namespace plumbline
