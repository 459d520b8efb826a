#pragma once

#include <string>

#include <napi.h>

#include "generation/engine.h"
#include "generation/job.h"
#include "node/convert.h"

/// The objects of src/types.ts as native structures, and back.
namespace plumbline::node {

Precision precision_of(const std::string& text);
EngineOptions engine_options(const Fields& fields);
SamplingParameters sampling_parameters(const Fields& fields);
GenerationRequest generation_request(const Fields& fields);

const char* name(LoadStage stage);

Napi::Object to_js(Napi::Env env, const LogProbabilities& log_probabilities);
Napi::Object to_js(Napi::Env env, const TokenRecord& record);
Napi::Object to_js(Napi::Env env, const GenerationResult& result);

}  // namespace plumbline::node
