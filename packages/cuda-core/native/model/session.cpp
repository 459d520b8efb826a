#include "model/session.h"

#include <algorithm>
#include <optional>
#include <string>

#include "error.h"
#include "model/forward.h"

namespace plumbline {
std::uint32_t checked_context_length(const Hyperparameters& hyperparameters, std::uint32_t context_length) {
  const std::uint32_t trained = hyperparameters.trained_context_length;
  if (context_length >= 1 && context_length <= trained) return context_length;
  throw Error(ErrorCode::context_overflow,
              "context length must be from 1 to " + std::to_string(trained) +
                  ", which the model was trained for, but is " + std::to_string(context_length),
              {{"context_length", std::uint64_t{context_length}}, {"trained_context_length", std::uint64_t{trained}}});
}

Session::Session(Model& model, std::uint32_t context_length)
    : model_(model),
      kv_cache_(model.backend(), model.hyperparameters(), checked_context_length(model.hyperparameters(), context_length)),
      workspace_(model.backend(), model.hyperparameters()) {}

void Session::truncate(std::uint32_t position) { position_ = std::min(position_, position); }

std::span<const float> Session::forward(std::span<const std::uint32_t> tokens, const ForwardOptions& options) {
  if (tokens.empty()) throw Error(ErrorCode::invalid_request, "there must be at least one token");
  if (tokens.size() > kv_cache_.capacity() - position_) {
    throw Error(ErrorCode::context_overflow,
                std::to_string(tokens.size()) + " tokens at position " + std::to_string(position_) +
                    " do not fit a context of " + std::to_string(kv_cache_.capacity()),
                {{"tokens", std::uint64_t{tokens.size()}},
                 {"position", std::uint64_t{position_}},
                 {"context_length", std::uint64_t{kv_cache_.capacity()}}});
  }
  const std::uint32_t vocab_size = model_.hyperparameters().vocab_size;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < vocab_size) continue;
    throw Error(ErrorCode::invalid_request,
                "token id " + std::to_string(tokens[i]) + " is outside the vocabulary of " +
                    std::to_string(vocab_size),
                {{"token_id", std::uint64_t{tokens[i]}}, {"index", std::uint64_t{i}}});
  }
  const std::optional<Matrix> logits = plumbline::forward(model_, kv_cache_, workspace_, tokens, position_, options);
  if (!logits) return {};
  position_ += static_cast<std::uint32_t>(tokens.size());
  return model_.backend().read(*logits, logits_);
}

}  // namespace plumbline
