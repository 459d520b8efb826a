#include "node/testing.h"

#include <algorithm>
#include <memory>
#include <string>

#include "model/session.h"
#include "node/backend_of.h"
#include "node/convert.h"
#include "node/parameters.h"
#include "sampling/gumbel_noise.h"
#include "sampling/log_probabilities.h"
#include "sampling/sampler.h"

namespace plumbline::node::testing {
namespace {

/// Keeps every checkpoint of a forward pass as JavaScript objects.
class Collector final : public Observer {
 public:
  explicit Collector(Napi::Env env) : env_(env), collected_(Napi::Array::New(env)) {}

  bool wants(Checkpoint) const override { return true; }
  void observe(const Observation& observation) override {
    Napi::Object object = Napi::Object::New(env_);
    object.Set("name", name_of(observation.checkpoint, observation.layer));
    object.Set("firstPosition", observation.first_position);
    object.Set("rows", observation.rows);
    object.Set("width", observation.width);
    object.Set("values", to_js(env_, observation.values));
    collected_.Set(collected_.Length(), object);
  }
  Napi::Array collected() const { return collected_; }

 private:
  Napi::Env env_;
  Napi::Array collected_;
};

}  // namespace

Napi::Value sample(const Napi::CallbackInfo& info) {
  const Fields fields(info[0], "options");
  Sampler sampler(sampling_parameters(fields.object("sampling")));
  const std::uint32_t token = sampler.sample(fields.floats("logits"), fields.unsigned_integers("history"),
                                             fields.unsigned_integer("answerIndex"));
  return Napi::Number::New(info.Env(), token);
}

Napi::Value noise(const Napi::CallbackInfo& info) {
  const Fields fields(info[0], "options");
  const std::uint32_t word = noise_word(fields.unsigned_bigint("seed"), fields.unsigned_integer("tokenId"),
                                        fields.unsigned_integer("answerIndex"));
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("word", word);
  object.Set("gumbel", gumbel_noise(word));
  return object;
}

Napi::Value log_probabilities(const Napi::CallbackInfo& info) {
  const Fields fields(info[0], "options");
  const std::vector<float> logits = fields.floats("logits");
  const std::uint32_t chosen = fields.unsigned_integer("chosen");
  if (chosen >= logits.size()) throw Error(ErrorCode::invalid_request, "options.chosen must be below the vocabulary size");
  return to_js(info.Env(), plumbline::log_probabilities(logits, chosen, fields.unsigned_integer("top")));
}

Napi::Value evaluate(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Fields fields(info[0], "options");
  const auto model = Model::load(
      std::make_shared<const gguf::File>(gguf::File::open(fields.text("modelPath"))),
      backend_of(fields, precision_of(fields.text("precision")), fields.unsigned_integer_or("threads", 0)));
  const std::vector<std::uint32_t> tokens = fields.unsigned_integers("tokenIds");
  const std::size_t chunk = std::max(1u, fields.unsigned_integer_or("chunk", static_cast<std::uint32_t>(tokens.size())));
  const std::uint32_t vocab_size = model->hyperparameters().vocab_size;

  Session session(*model, model->hyperparameters().trained_context_length);
  Collector collector(env);
  Observer* const observer = fields.boolean_or("checkpoints", false) ? &collector : nullptr;
  std::vector<float> logits;
  for (std::span<const std::uint32_t> rest = tokens; !rest.empty();) {
    const auto piece = rest.first(std::min(chunk, rest.size()));
    const auto rows = session.forward(piece, {.logits = LogitRows::all, .observer = observer});
    logits.insert(logits.end(), rows.begin(), rows.end());
    rest = rest.subspan(piece.size());
  }

  Napi::Object object = Napi::Object::New(env);
  object.Set("backend", model->backend().name());
  object.Set("vocabSize", vocab_size);
  object.Set("logits", to_js(env, std::span<const float>(logits)));
  object.Set("checkpoints", collector.collected());
  return object;
}

}  // namespace plumbline::node::testing
