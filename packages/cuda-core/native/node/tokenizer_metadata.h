#pragma once

#include <napi.h>

#include "gguf/metadata.h"

namespace plumbline::node {

/// The `TokenizerMetadata` of src/types.ts: the file's tokenizer.* keys. Throws INVALID_GGUF for one that is missing or of
/// another type than it must be.
Napi::Object tokenizer_metadata(Napi::Env env, const gguf::Metadata& metadata);

}  // namespace plumbline::node
