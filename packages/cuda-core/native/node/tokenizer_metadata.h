#pragma once

#include <napi.h>

#include "model/tokenizer_metadata.h"

namespace plumbline::node {

/// The `TokenizerMetadata` of src/types.ts.
Napi::Object to_js(Napi::Env env, const TokenizerMetadata& metadata);

}  // namespace plumbline::node
