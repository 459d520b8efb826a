#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "backend/backend.h"
#include "gguf/file.h"
#include "model/hyperparameters.h"
#include "model/weights.h"

namespace plumbline {

/// A model that is ready to run: its file, the backend that runs it, and its weights there. Sessions on it (session.h)
/// must not outlive it. One thread at a time.
class Model {
 public:
  /// Fraction of the weights' bytes that are loaded, 0 to 1.
  using OnProgress = std::function<void(double fraction)>;

  /// Throws UNSUPPORTED_ARCHITECTURE, UNSUPPORTED_TENSOR_TYPE, INVALID_GGUF (missing, unexpected or misshapen tensor; bad
  /// hyperparameter), OUT_OF_MEMORY.
  static std::unique_ptr<Model> load(std::shared_ptr<const gguf::File> file, std::unique_ptr<Backend> backend,
                                     const OnProgress& on_progress = {});

  const gguf::File& file() const { return *file_; }
  const Hyperparameters& hyperparameters() const { return hyperparameters_; }
  const Weights& weights() const { return weights_; }
  Backend& backend() const { return *backend_; }

 private:
  Model(std::shared_ptr<const gguf::File> file, std::unique_ptr<Backend> backend, Hyperparameters hyperparameters);

  // Destroyed from the last to the first: weights give their memory back to the backend and may point into the file.
  std::shared_ptr<const gguf::File> file_;
  std::unique_ptr<Backend> backend_;
  Hyperparameters hyperparameters_;
  Weights weights_;
};

}  // namespace plumbline
