#include "model/model.h"

#include <utility>

namespace plumbline {

Model::Model(std::shared_ptr<const gguf::File> file, std::unique_ptr<Backend> backend, Hyperparameters hyperparameters)
    : file_(std::move(file)), backend_(std::move(backend)), hyperparameters_(hyperparameters) {}

std::unique_ptr<Model> Model::load(std::shared_ptr<const gguf::File> file, std::unique_ptr<Backend> backend,
                                   const OnProgress& on_progress) {
  const Hyperparameters hyperparameters = read_hyperparameters(*file);
  std::unique_ptr<Model> model(new Model(std::move(file), std::move(backend), hyperparameters));
  model->weights_ = load_weights(*model->file_, hyperparameters, *model->backend_, on_progress);
  return model;
}

}  // namespace plumbline
