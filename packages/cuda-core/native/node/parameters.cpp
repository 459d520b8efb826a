#include "node/parameters.h"

namespace plumbline::node {
namespace {

TraceLevel trace_level(const std::string& text) {
  if (text == "logits") return TraceLevel::logits;
  if (text == "layers") return TraceLevel::layers;
  if (text == "ops") return TraceLevel::ops;
  throw Error(ErrorCode::invalid_request, "trace.level must be logits, layers or ops, but is " + text,
              {{"field", std::string("trace.level")}, {"found", text}});
}

}  // namespace

const char* name(LoadStage stage) {
  switch (stage) {
    case LoadStage::reading: return "reading";
    case LoadStage::weights: return "weights";
    case LoadStage::warming_up: return "warming_up";
  }
  return "";
}

Precision precision_of(const std::string& text) {
  if (text == "fast") return Precision::fast;
  if (text == "exact") return Precision::exact;
  throw Error(ErrorCode::invalid_option, "precision must be fast or exact, but is " + text,
              {{"field", std::string("precision")}, {"found", text}});
}

EngineOptions engine_options(const Fields& fields) {
  return {.model_path = fields.text("modelPath"),
          .device = fields.text_or("device", "auto"),
          .precision = precision_of(fields.text_or("precision", "fast")),
          .threads = fields.unsigned_integer_or("threads", 0),
          .context_length = fields.unsigned_integer_or("contextLength", 0)};
}

SamplingParameters sampling_parameters(const Fields& fields) {
  return {.temperature = fields.number("temperature"),
          .top_k = fields.unsigned_integer("topK"),
          .top_p = fields.number("topP"),
          .min_p = fields.number("minP"),
          .repetition_penalty = fields.number("repetitionPenalty"),
          .seed = fields.unsigned_bigint("seed")};
}

GenerationRequest generation_request(const Fields& fields) {
  GenerationRequest request{.prompt = fields.unsigned_integers("promptTokenIds"),
                            .max_tokens = fields.unsigned_integer("maxTokens"),
                            .sampling = sampling_parameters(fields.object("sampling")),
                            .eos_ids = fields.unsigned_integers("eosIds"),
                            .ignore_eos = fields.boolean("ignoreEos"),
                            .top_log_probabilities = fields.unsigned_integer("logprobs")};
  request.prefill_chunk = fields.unsigned_integer_or("prefillChunk", request.prefill_chunk);
  if (fields.has("trace")) {
    const Fields trace = fields.object("trace");
    request.trace = TraceOptions{.directory = trace.text("directory"),
                                 .level = trace_level(trace.text("level")),
                                 .all_values = trace.boolean("allValues"),
                                 .prompt_tokens = static_cast<std::uint32_t>(request.prompt.size()),
                                 .max_tokens = request.max_tokens,
                                 .run = trace.text("run"),
                                 .manifest = trace.text("manifest")};
    request.all_positions_logits = trace.boolean("allPositionsLogits");
  }
  return request;
}

Napi::Object to_js(Napi::Env env, const LogProbabilities& log_probabilities) {
  Napi::Array top = Napi::Array::New(env, log_probabilities.top.size());
  std::uint32_t rank = 0;
  for (const TokenLogProbability& entry : log_probabilities.top) {
    Napi::Object listed = Napi::Object::New(env);
    listed.Set("id", entry.token);
    listed.Set("logprob", entry.log_probability);
    top.Set(rank++, listed);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("logprob", log_probabilities.chosen);
  object.Set("top", top);
  return object;
}

Napi::Object to_js(Napi::Env env, const TokenRecord& record) {
  Napi::Object object = record.log_probabilities ? to_js(env, *record.log_probabilities) : Napi::Object::New(env);
  object.Set("index", record.index);
  object.Set("id", record.token);
  return object;
}

Napi::Object to_js(Napi::Env env, const GenerationResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("tokens", result.tokens);
  object.Set("stopReason", std::string(name_of(result.stop_reason)));
  object.Set("prefillMs", result.prefill_milliseconds);
  object.Set("decodeMs", result.decode_milliseconds);
  if (result.error) object.Set("error", node::to_js(env, *result.error).Value());
  if (result.trace) {
    Napi::Object trace = Napi::Object::New(env);
    trace.Set("records", static_cast<double>(result.trace->records));
    if (result.trace->stopped) trace.Set("stopped", *result.trace->stopped);
    object.Set("trace", trace);
  }
  return object;
}

}  // namespace plumbline::node
